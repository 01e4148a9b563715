// The command as people use it, against a real server and agent.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { runAssay } from "../../assay.ts";
import { ExitCode } from "../../runtime/cli/exit-code.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "../support/machine.ts";

const parent = (machine: Machine): string => `spiffe://example.test${machine.local.agentPath}`;

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe("assay", () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start();
  });
  after(() => machine[Symbol.asyncDispose]());

  async function assay(args: readonly string[], input = ""): Promise<Outcome> {
    let out = "";
    let err = "";
    const code = await runAssay(args, {
      write: (text) => {
        out += text;
      },
      writeError: (text) => {
        err += text;
      },
      readInput: async () => input,
      env: {},
      signal: machine.signal,
    });
    return { code, out, err };
  }

  /** A command to the server's socket that must succeed; its JSON. */
  async function server(...args: readonly string[]) {
    const { adminSocket } = machine.local.layout;
    const outcome = await assay([...args, "--socket", adminSocket, "--output", "json"]);
    assert.equal(outcome.code, ExitCode.ok, `${args.join(" ")}: ${outcome.err}`);
    return outcome.out === "" ? undefined : JSON.parse(outcome.out);
  }

  const endpoint = () => ["--endpoint", `unix://${machine.local.layout.workloadSocket}`];
  const uid = `unix:uid:${process.getuid?.()}`;
  const create = (id: string, selector: string, ...more: readonly string[]) =>
    server(
      "entry",
      "create",
      ...["--spiffe-id", id, "--parent-id", parent(machine), "--selector", selector],
      ...more,
    );

  it("creates an entry, waits for it to be applied, and fetches the identity", async () => {
    const created = await create("spiffe://example.test/web", uid, "--owner", "web", "--wait");
    assert.equal(created.status, "ok");
    assert.equal(created.owner, "web");
    const fetched = await assay(["x509", "fetch", ...endpoint(), "--output", "json"]);
    assert.equal(fetched.code, ExitCode.ok, fetched.err);
    const [svid] = JSON.parse(fetched.out);
    assert.equal(svid.spiffe_id, "spiffe://example.test/web");
    const [whose] = (
      await assay([
        "audit",
        "who",
        svid.serial_number,
        "--socket",
        machine.local.layout.adminSocket,
      ])
    ).out.split("\n");
    assert.match(whose ?? "", /spiffe:\/\/example\.test\/web/);
  });

  it("fetches and validates a JWT-SVID", async () => {
    const fetched = await assay([
      "jwt",
      "fetch",
      ...endpoint(),
      "--audience",
      "orders",
      "--output",
      "json",
    ]);
    const [{ token }] = JSON.parse(fetched.out);
    const valid = await assay(
      ["jwt", "validate", ...endpoint(), "--audience", "orders", "-o", "json"],
      token,
    );
    assert.equal(JSON.parse(valid.out).spiffe_id, "spiffe://example.test/web");
    const invalid = await assay(["jwt", "validate", ...endpoint(), "--audience", "billing"], token);
    assert.equal(invalid.code, ExitCode.usage);
    assert.match(invalid.err, /reason: jwt_audience/);
  });

  it("changes only what is given, lists by owner, and deletes", async () => {
    const created = await create("spiffe://example.test/tmp", "unix:uid:4242", "--owner", "ops");
    const updated = await server("entry", "update", created.id, "--x509-svid-ttl", "30m");
    assert.equal(updated.x509_svid_ttl, 1800);
    assert.equal(updated.owner, "ops");
    const listed = await server("entry", "list", "--owner", "ops");
    assert.deepEqual(
      listed.map((each: { id: string }) => each.id),
      [created.id],
    );
    await server("entry", "delete", created.id, "--wait");
    const { code, err } = await assay([
      ...["entry", "show", created.id],
      ...["--socket", machine.local.layout.adminSocket],
    ]);
    assert.equal(code, ExitCode.notFound, err);
  });

  it("watches an identity that goes and comes back, until interrupted", async () => {
    const interrupt = new AbortController();
    let out = "";
    let err = "";
    const watching = runAssay(["x509", "watch", ...endpoint(), "--output", "json"], {
      write: (text) => {
        out += text;
      },
      writeError: (text) => {
        err += text;
      },
      readInput: async () => "",
      env: {},
      signal: interrupt.signal,
    });
    const told = (text: string, where: () => string) =>
      eventually(text, () => where().includes(text) || undefined);
    await told("spiffe://example.test/web", () => out);
    const [web] = await server("entry", "list", "--spiffe-id", "spiffe://example.test/web");
    await server("entry", "delete", web.id, "--wait");
    await told("no identity", () => err);
    await create("spiffe://example.test/web", uid, "--owner", "back", "--wait");
    await eventually("two answers", () => out.match(/test\/web"/g)?.length === 2 || undefined);
    interrupt.abort();
    assert.equal(await watching, ExitCode.ok);
  });

  it("creates many from a file, and tells which ones failed", async () => {
    const text = JSON.stringify([
      {
        spiffe_id: "spiffe://example.test/a",
        parent_id: parent(machine),
        selectors: ["unix:uid:1"],
      },
      { spiffe_id: "spiffe://other.test/b", parent_id: parent(machine), selectors: ["unix:uid:2"] },
    ]);
    const socket = machine.local.layout.adminSocket;
    const { code, out } = await assay(["entry", "create", "--file", "-", "--socket", socket], text);
    assert.equal(code, ExitCode.partial);
    assert.match(out, /spiffe:\/\/example\.test\/a +ok/);
    const dry = await assay(
      ["entry", "create", "--file", "-", "--dry-run", "--socket", socket],
      JSON.stringify([
        {
          spiffe_id: "spiffe://example.test/dry",
          parent_id: parent(machine),
          selectors: ["unix:uid:9"],
        },
      ]),
    );
    assert.equal(dry.code, ExitCode.ok, dry.err);
    const found = await server("entry", "list", "--spiffe-id", "spiffe://example.test/dry");
    assert.deepEqual(found, []);
  });

  it("refuses a lifetime that no authority lives for, naming the largest", async () => {
    const { adminSocket } = machine.local.layout;
    const { code, err } = await assay([
      ...["entry", "create", "--spiffe-id", "spiffe://example.test/ttl"],
      ...["--parent-id", parent(machine), "--selector", "unix:uid:7"],
      ...["--x509-svid-ttl", "300d", "--socket", adminSocket],
    ]);
    assert.equal(code, ExitCode.usage);
    assert.match(err, /the largest possible is/);
  });

  it("shows agents, bundles, authorities, the log level and the server", async () => {
    const agents = await server("agent", "list");
    assert.equal(agents[0].id, parent(machine));
    assert.equal(agents[0].attestation, "x509pop");
    assert.equal((await server("agent", "count")).count, 1);
    assert.equal((await server("authority", "show", "x509"))[0].state, "active");
    assert.equal((await server("logger", "set", "debug")).level, "debug");
    await server("logger", "reset");
    assert.equal((await server("server", "info")).agents, 1);
    const { out } = await assay([
      ...["bundle", "show", "--format", "spiffe"],
      ...["--socket", machine.local.layout.adminSocket],
    ]);
    assert.ok(JSON.parse(out).keys.length >= 2);
  });

  it("mints, by role only", async () => {
    const minted = await server("x509", "mint", "--spiffe-id", "spiffe://example.test/batch");
    assert.match(minted.svid_pem, /BEGIN CERTIFICATE/);
    const jwt = await server(
      ...["jwt", "mint", "--spiffe-id", "spiffe://example.test/batch", "--audience", "x"],
    );
    assert.match(jwt.token, /^ey/);
    const can = await server("access", "can", "me", "svid.MintX509SVID");
    assert.equal(can.allowed, true);
    const { code } = await assay([
      ...["access", "can", "uid:4242", "svid.MintX509SVID"],
      ...["--socket", machine.local.layout.adminSocket],
    ]);
    assert.equal(code, ExitCode.refused);
  });

  it("tells why a process has no identity", async () => {
    const { agentAdminSocket } = machine.local.layout;
    const [explanation] = await server(
      ...["why", "--agent", parent(machine), "--selectors", "unix:uid:31337"],
    );
    assert.ok(["no_entry", "selector_missing"].includes(explanation.cause), explanation.cause);
    const [granted] = await server(
      ...["why", "--pid", String(process.pid), "--agent-socket", agentAdminSocket],
    );
    assert.equal(granted.cause, "granted");
  });

  it("has the node of an agent look at a process that never called", async () => {
    const ask = (pid: number) => server("why", "--agent", parent(machine), "--pid", String(pid));
    const [granted] = await ask(process.pid);
    assert.equal(granted.cause, "granted");
    assert.equal(granted.pid, process.pid);
    assert.ok(granted.selectors.includes(`unix:uid:${process.getuid?.()}`));
    const socket = machine.local.layout.adminSocket;
    const gone = await assay([
      ...["why", "--agent", parent(machine), "--pid", "4194304", "--socket", socket],
    ]);
    assert.notEqual(gone.code, 0);
    assert.match(gone.err, /the agent cannot say: process 4194304 is not there/);
  });

  it("verifies the audit log", async () => {
    const verified = await server("audit", "verify", "--witness");
    assert.equal(verified.intact, true);
    assert.ok(verified.records > 5);
  });

  it("asks this machine's agent", async () => {
    const socket = machine.local.layout.agentAdminSocket;
    const info = await assay(["agent", "info", "--agent-socket", socket, "--output", "json"]);
    assert.equal(JSON.parse(info.out).agent_id, parent(machine));
    assert.equal((await assay(["agent", "healthcheck", "--agent-socket", socket])).code, 0);
    const health = await assay([
      ...["server", "healthcheck", "--socket", machine.local.layout.adminSocket],
    ]);
    assert.equal(health.code, 0);
  });

  it("says what to do when the server is away", async () => {
    const { code, err } = await assay([
      "entry",
      "list",
      "--socket",
      "/nonexistent",
      "--timeout",
      "2",
    ]);
    assert.equal(code, ExitCode.unavailable);
    assert.match(err, /hint: is the other side running/);
  });

  it("helps", async () => {
    const { code, out } = await assay(["entry", "create", "--help"]);
    assert.equal(code, ExitCode.ok);
    assert.match(out, /Example:/);
    assert.equal((await assay(["entry", "frobnicate"])).code, ExitCode.usage);
    assert.match((await assay(["completion", "bash"])).out, /complete .* assay/);
  });
});
