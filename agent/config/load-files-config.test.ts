import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { ConfigError, parseConfig } from "../../runtime/config/load.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { filesConfigSchema } from "./files-config.ts";
import { loadFilesConfig, loadHelperConfig } from "./load-files-config.ts";

const minimal = `
directory: /run/x
files:
  - { name: svid.pem, type: pem, holds: [chain] }
`;

function parse(text: string) {
  return parseConfig(filesConfigSchema, text, "files.yaml");
}

describe("filesConfigSchema", () => {
  it("fills in what is not said", () => {
    const config = parse(minimal);
    assert.equal(config.layout, "swap");
    assert.deepEqual(config.withdrawal, { action: "keep", after: 30_000 });
    assert.equal(config.observability.port, 8085);
    assert.equal(config.once, false);
  });

  const refused: readonly (readonly [name: string, text: string, message: RegExp])[] = [
    ["no files", "directory: /x\nfiles: []", /files: expected at least 1 items/],
    ["an unknown key", `${minimal}reloads: []`, /reloads: unknown key, did you mean "reload"/],
    [
      "a name with a folder",
      "directory: /x\nfiles: [{ name: a/b, type: jwks }]",
      /files\[0\]\.name: expected a plain file name/,
    ],
    [
      "a name that is ours",
      "directory: /x\nfiles: [{ name: ..data, type: jwks }]",
      /files\[0\]\.name/,
    ],
    [
      "a name twice",
      "directory: /x\nfiles: [{ name: a, type: jwks }, { name: a, type: jwks }]",
      /files\.1\.name|files\[1\]\.name/,
    ],
    ["a mode that is none", "directory: /x\nfiles: [{ name: a, type: jwks, mode: '9' }]", /mode/],
    ["an unknown type", "directory: /x\nfiles: [{ name: a, type: der }]", /files\[0\]/],
    [
      "a trust domain that is none",
      "directory: /x\nfiles: [{ name: a, type: jwks, trustDomain: 'A B' }]",
      /expected the name of a trust domain/,
    ],
    [
      "a signal that ends",
      `${minimal}command: { run: [x], reloadSignal: SIGKILL }`,
      /reloadSignal/,
    ],
    ["too long a grace", `${minimal}command: { run: [x], grace: 1m }`, /at most 25s/],
    [
      "a command beside once",
      `${minimal}once: true\ncommand: { run: [x] }`,
      /once: expected neither/,
    ],
    [
      "both ways to choose",
      `${minimal}identity: { spiffeId: 'spiffe://a/b', hint: c }`,
      /expected either spiffeId or hint/,
    ],
  ];
  for (const [name, text, message] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(() => parse(text), { name: "ConfigError", message });
    });
  }
});

describe("pages on files", () => {
  for (const page of ["files", "nginx", "haproxy", "postgresql"]) {
    it(`${page}.md has configurations that are valid`, async () => {
      const text = await readFile(`${import.meta.dirname}/../../docs/consumers/${page}.md`, "utf8");
      const blocks = [...text.matchAll(/^ *```yaml\n([\s\S]*?)^ *```$/gm)]
        .map(([, body = ""]) => body)
        .flatMap((body) => /^ +files\.yaml: \|\n((?: {4}.*\n)+)/m.exec(body)?.[1] ?? body)
        .map((body) => body.replace(new RegExp(`^${/^ */.exec(body)?.[0]}`, "gm"), ""));
      const whole = blocks.filter((body) => /^directory:/m.test(body));
      assert.ok(whole.length > 0);
      for (const body of whole) assert.ok(parse(body));
      for (const body of blocks.filter((each) => /^command:/m.test(each))) {
        assert.ok(parse(`${minimal}${body}`));
      }
    });
  }
});

const helper = `
agent_address = "/tmp/agent.sock"
cmd = "nginx"
cmd_args = "-g \\"daemon off;\\""
pid_file_name = "/run/nginx.pid"
cert_dir = "certs"
renew_signal = "SIGHUP"
svid_file_name = "svid.pem"
svid_key_file_name = "svid_key.pem"
svid_bundle_file_name = "svid_bundle.pem"
add_intermediates_to_bundle = true
include_federated_domains = true
omit_expired = true
jwt_svids = [{jwt_audience="a", jwt_extra_audiences=["b"], jwt_svid_file_name="jwt_svid.token"}]
jwt_bundle_file_name = "jwt_bundle.json"
cert_file_mode = 0444
key_file_mode = "0400"
hint = "internal"
health_checks { listener_enabled = true, liveness_path = "/healthz" }
`;

async function withFile<T>(text: string, use: (path: string) => Promise<T>): Promise<T> {
  await using dir = await TempDir.open();
  const path = dir.join("helper.conf");
  await writeFile(path, text);
  return await use(path);
}

describe("loadFilesConfig with a configuration of spiffe-helper", () => {
  it("understands every setting", async () => {
    const config = await withFile(helper, (path) => loadFilesConfig(path, undefined));
    assert.equal(config.address, "unix:///tmp/agent.sock");
    assert.deepEqual(config.identity, { hint: "internal" });
    assert.equal(config.directory, "certs");
    assert.equal(config.layout, "plain");
    assert.deepEqual(config.files, [
      { type: "pem", name: "svid.pem", holds: ["leaf"], mode: 0o444, omitExpired: true },
      { type: "pem", name: "svid_key.pem", holds: ["key"], mode: 0o400, omitExpired: false },
      {
        type: "pem",
        name: "svid_bundle.pem",
        holds: ["bundle", "intermediates", "federated"],
        mode: 0o444,
        omitExpired: true,
      },
      { type: "jwt", name: "jwt_svid.token", audience: ["a", "b"], mode: 0o600 },
      { type: "jwks-by-trust-domain", name: "jwt_bundle.json", mode: 0o600 },
    ]);
    assert.deepEqual(config.reload, [
      { type: "pidFile", path: "/run/nginx.pid", signal: "SIGHUP" },
    ]);
    assert.deepEqual(config.command, {
      run: ["nginx", "-g", "daemon off;"],
      reloadSignal: "SIGHUP",
      restart: "on-renewal",
      stopSignal: "SIGTERM",
      grace: 10_000,
    });
    const { enabled, address, port, livePath, readyPath } = config.observability;
    assert.deepEqual(
      { enabled, address, port, livePath, readyPath },
      { enabled: true, address: "0.0.0.0", port: 8081, livePath: "/healthz", readyPath: "/ready" },
    );
  });

  it("finds the agent as spiffe-helper does", async () => {
    const text = 'jwt_bundle_file_name = "b"\ncert_dir = "c"';
    const addressWith = (socket?: string) =>
      withFile(text, async (path) => (await loadHelperConfig(path, socket))["address"]);
    assert.equal(await addressWith(), "unix:///tmp/spire-agent/public/api.sock");
    assert.equal(await addressWith("unix:///x"), undefined);
  });

  it("runs once without daemon_mode, and passes over the command", async () => {
    const text = 'daemon_mode = false\ncmd = "x"\njwt_bundle_file_name = "b"';
    const config = await withFile(text, (path) => loadFilesConfig(path, undefined));
    assert.equal(config.once, true);
    assert.equal(config.command, undefined);
    assert.equal(config.directory, ".");
  });

  const refused: readonly (readonly [name: string, text: string, message: RegExp])[] = [
    ["what is no HCL", "a = ", /line 1/],
    ["unknown keys", 'certdir = "x"\njwt_bundle_file_name = "b"', /did you mean "cert_dir"/],
    ["half an SVID", 'svid_file_name = "a"', /svid_key_file_name/],
    ["nothing to write", 'cert_dir = "a"', /jwt_bundle_file_name/],
    [
      "a PID file without a signal",
      'pid_file_name = "a"\njwt_bundle_file_name = "b"',
      /renew_signal/,
    ],
    ["names with folders", 'jwt_bundle_file_name = "a/b"', /no counterpart/],
    ["unknown signals", 'renew_signal = "SIGFOO"\njwt_bundle_file_name = "b"', /renew_signal/],
    ["broken arguments", 'cmd = "x"\ncmd_args = "\\"a"\njwt_bundle_file_name = "b"', /cmd_args/],
  ];
  for (const [name, text, message] of refused) {
    it(`refuses ${name}`, async () => {
      await assert.rejects(
        withFile(text, (path) => loadFilesConfig(path, undefined)),
        (err) => err instanceof ConfigError && message.test(err.message),
      );
    });
  }

  it("says that a file cannot be read", async () => {
    await assert.rejects(loadFilesConfig("/nowhere/helper.conf", undefined), {
      name: "ConfigError",
      message: /cannot be read \(ENOENT\)/,
    });
  });
});
