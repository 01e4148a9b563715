// What `assay cloud ... trust` prints: a shell takes each command as it stands, and the vendor's tool has its options. And what the
// command finds out about entries at the server.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { awsTrust, azureTrust, gcpTrust, type Trust } from "../../server/cli/cloud/trust.ts";
import { runCli } from "../support/run-cli.ts";
import { RunningServer } from "../support/running-server.ts";

const NUL = "\0";
const signal = new AbortController().signal;

/** Tools as their vendors document them: the words that name a command, its required options, and those it takes besides. */
const tools: readonly {
  readonly command: readonly string[];
  readonly required: readonly string[];
  readonly optional: readonly string[];
  readonly operands: number;
}[] = [
  {
    command: ["aws", "iam", "create-open-id-connect-provider"],
    required: ["--url"],
    optional: ["--client-id-list", "--thumbprint-list", "--tags"],
    operands: 0,
  },
  {
    command: ["aws", "iam", "create-role"],
    required: ["--role-name", "--assume-role-policy-document"],
    optional: ["--path", "--description", "--max-session-duration", "--permissions-boundary"],
    operands: 0,
  },
  {
    command: ["gcloud", "iam", "workload-identity-pools", "providers", "create-oidc"],
    required: ["--location", "--workload-identity-pool", "--attribute-mapping", "--issuer-uri"],
    optional: ["--allowed-audiences", "--attribute-condition", "--description", "--display-name"],
    operands: 1,
  },
  {
    command: ["az", "ad", "app", "federated-credential", "create"],
    required: ["--id", "--parameters"],
    optional: [],
    operands: 0,
  },
];

interface ToolCall {
  readonly operands: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

/** The words that a shell makes of a command in a note. The tools are functions that print what they are called with. */
async function wordsOf(text: string): Promise<readonly (readonly string[])[]> {
  const print = (name: string) => `${name}() { printf '%s\\0' ${name} "$@" ''; }`;
  const script = `set -eu\n${["aws", "gcloud", "az"].map(print).join("\n")}\n${text}\n`;
  const running = promisify(execFile)("/bin/sh", ["-c", script], { env: { PATH: "/nowhere" } });
  const { stdout, stderr } = await running;
  assert.equal(stderr, "");
  const calls = stdout.split(`${NUL}${NUL}`).filter((call) => call !== "");
  return calls.map((call) => call.split(NUL));
}

/** Reads a call as the tool documents it: `--name=value` or `--name value`, each option once, none that it does not have. */
function parseCall(words: readonly string[]): ToolCall {
  const tool = tools.find(({ command }) => command.every((word, i) => words[i] === word));
  assert.ok(tool, `no such command: ${words.join(" ")}`);
  const options = new Map<string, string>();
  const operands: string[] = [];
  const rest = words.slice(tool.command.length).values();
  for (const word of rest) {
    if (!word.startsWith("--")) {
      operands.push(word);
      continue;
    }
    const [, name = "", value] = /^(--[a-z-]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
    assert.ok([...tool.required, ...tool.optional].includes(name), `no such option: ${word}`);
    assert.ok(!options.has(name), `twice: ${name}`);
    const given = value ?? rest.next().value;
    assert.ok(given, `${name} has no value`);
    options.set(name, given);
  }
  for (const name of tool.required) assert.ok(options.has(name), `missing: ${name}`);
  assert.equal(operands.length, tool.operands);
  return { operands, options };
}

/** The calls in the notes that hold commands. */
async function callsIn({ notes }: Trust): Promise<readonly ToolCall[]> {
  const commands = notes.flatMap((note) => /(?:^|: )((?:aws|gcloud|az) .*)$/.exec(note)?.[1] ?? []);
  const words = await Promise.all(commands.map((command) => wordsOf(command)));
  return words.flat().map(parseCall);
}

const identity = {
  issuer: "https://oidc.example.org",
  spiffeId: "spiffe://example.org/ns/shop/sa/backend",
  audience: "sts.amazonaws.com",
};
const pool = { project: "123456789", pool: "assay-pool", provider: "example-org" };
// What a shell, or a careless join, would make something else of.
const hostile = {
  ...identity,
  issuer: "https://oidc.example.org/$(id)/a;b&c/*/'q'",
  audience: 'it\'s $HOME `id` "x" \\ !1',
};

describe("commands that assay cloud prints", () => {
  for (const [name, request] of Object.entries({ plain: identity, hostile })) {
    const { issuer, spiffeId, audience } = request;

    it(`makes AWS's provider and role: ${name}`, async () => {
      const trust = awsTrust(request, { account: "123456789012", partition: "aws" });
      const [provider, role, ...others] = await callsIn(trust);
      assert.deepEqual(others, []);
      assert.deepEqual(Object.fromEntries(provider?.options ?? []), {
        "--url": issuer,
        "--client-id-list": audience,
      });
      assert.match(role?.options.get("--assume-role-policy-document") ?? "", /^file:\/\//);
    });

    it(`makes Google's provider as it is printed: ${name}`, async () => {
      const trust = gcpTrust(request, pool);
      const [provider, ...others] = await callsIn(trust);
      assert.deepEqual(others, []);
      assert.deepEqual(provider?.operands, [pool.provider]);
      assert.deepEqual(Object.fromEntries(provider?.options ?? []), {
        "--location": "global",
        "--workload-identity-pool": pool.pool,
        "--issuer-uri": issuer,
        "--allowed-audiences": audience,
        "--attribute-mapping": "google.subject=assertion.sub",
        "--attribute-condition": `assertion.sub == '${spiffeId}'`,
      });
    });
  }

  it("makes Google's provider for an ID that is cut", async () => {
    const spiffeId = `spiffe://example.org/${"x".repeat(120)}`;
    const [provider] = await callsIn(gcpTrust({ ...identity, spiffeId }, pool));
    assert.equal(
      provider?.options.get("--attribute-mapping"),
      "google.subject=assertion.sub.extract('spiffe://example.org/{rest}')",
    );
  });

  it("makes Azure's credential from the file", async () => {
    const [credential, ...others] = await callsIn(azureTrust([identity], { existing: 0 }));
    assert.deepEqual(others, []);
    assert.deepEqual(Object.fromEntries(credential?.options ?? []), {
      "--id": "APP_ID",
      "--parameters": "credential.json",
    });
  });

  it("makes several of Azure's one by one", async () => {
    const trust = azureTrust([identity, { ...identity, spiffeId: "spiffe://example.org/b" }], {
      existing: 0,
    });
    const [command = ""] = trust.notes.flatMap((note) => /: (jq .*)$/.exec(note)?.[1] ?? []);
    assert.ok(Array.isArray(trust.content));
    // In place of jq, which not every machine has, what it prints for this file.
    const lines = trust.content.map((one) => JSON.stringify(one).replaceAll("'", "'\\''"));
    const jq = `jq() { printf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")}; }`;
    const calls = (await wordsOf(`${jq}\n${command}`)).map(parseCall);
    const made = calls.map(({ options }) => JSON.parse(options.get("--parameters") ?? ""));
    assert.deepEqual(made, trust.content);
  });
});

describe("assay cloud azure trust for an entry", () => {
  const azure = async (server: RunningServer, ...args: readonly string[]) =>
    runCli(
      [
        ...["cloud", "azure", "trust", "--issuer", identity.issuer, ...args],
        ...["--socket", server.dir.join("admin.sock")],
      ],
      signal,
    );

  it("wants an authority for RS256", async () => {
    await using server = await RunningServer.open();
    const [entry = ""] = await server.createEntries(`spiffe://example.test/node`, "/backend");
    const { code, output, errors } = await azure(server, "--entry", entry);
    assert.deepEqual([code, output], [6, ""]);
    assert.match(errors, /no JWT authority for RS256[\s\S]*add rsa-2048 to ca\.jwtKeyTypes/);
  });

  it("wants the entry to allow the audience", async () => {
    await using server = await RunningServer.open({ ca: { jwtKeyTypes: ["ec-p256", "rsa-2048"] } });
    const [entry = ""] = await server.createEntries(`spiffe://example.test/node`, "/backend");
    const trusted = await azure(server, "--entry", entry);
    assert.equal(trusted.code, 0, trusted.errors);
    assert.equal(JSON.parse(trusted.output).subject, "spiffe://example.test/backend");
    const socket = ["--socket", server.dir.join("admin.sock")];
    const only = ["entry", "update", entry, "--allowed-audience", "other", ...socket];
    const changed = await runCli(only, signal);
    assert.equal(changed.code, 0, changed.errors);
    const { code, output, errors } = await azure(server, "--entry", entry);
    assert.deepEqual([code, output], [6, ""]);
    assert.match(errors, /does not allow the audience api:\/\/AzureADTokenExchange/);
    assert.equal((await azure(server, "--entry", entry, "--audience", "other")).code, 0);
  });
});
