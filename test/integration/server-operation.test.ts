// What an operator relies on, against a server as a process.

import assert from "node:assert/strict";
import { chmod, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { writeSettings } from "../../deploy/local/settings.ts";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { Status } from "../../runtime/errors/status-error.ts";
import { BareAgent } from "../support/bare-agent.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "../support/machine.ts";

describe("a server in operation", () => {
  it("refuses a second server on its data folder, and names the first", async () => {
    await using machine = await Machine.open();
    const { child } = await machine.local.startServer();
    await using second = await Machine.open({
      server: { dataDir: machine.local.layout.serverData },
    });
    await assert.rejects(second.local.startServer(), ({ message }: Error) => {
      assert.match(message, new RegExp(`is in use by process ${child.pid}: one server owns`));
      return true;
    });
    await machine.local.server.client(Entry).countEntries({}, machine.call);
  });

  it("refuses keys that others may read, and says what to run", async () => {
    await using machine = await Machine.open();
    await (await machine.local.startServer())[Symbol.asyncDispose]();
    const keys = join(machine.local.layout.serverData, "keys");
    await chmod(keys, 0o755);
    await assert.rejects(
      machine.local.startServer(),
      /has mode 0755, expected 0700: run chmod 0700/,
    );
    await chmod(keys, 0o700);
    const [name = ""] = await readdir(keys);
    await chmod(join(keys, name), 0o644);
    await assert.rejects(
      machine.local.startServer(),
      /has mode 0644, expected 0600: run chmod 0600/,
    );
    await chmod(join(keys, name), 0o600);
    await machine.local.startServer();
  });

  it("ends although agents are connected", async () => {
    await using machine = await Machine.start();
    const { child } = machine.local.server;
    child.kill("SIGTERM");
    assert.deepEqual(await child.exited, { code: 0, signal: null });
  });

  it("applies what a reload may change, and tells what needs a restart", async () => {
    await using machine = await Machine.open();
    await machine.local.startServer();
    const admin = machine.local.server.client(Admin);
    const { serverConfig } = machine.local.layout;
    const settings = parse(await readFile(serverConfig, "utf8"));
    await writeSettings(serverConfig, {
      ...settings,
      log: { format: "text", level: "debug" },
      ca: { x509SvidTtl: "2h" },
    });
    const reloaded = await admin.reload({}, machine.call);
    assert.deepEqual(
      [reloaded.applied, reloaded.needsRestart].map((list) => list.map(({ path }) => path)),
      [["log.level"], ["ca.x509SvidTtl"]],
    );
    await writeFile(serverConfig, "trustDomain: [\n");
    await assert.rejects(admin.reload({}, machine.call), { name: "StatusError" });
    await machine.local.server.client(Entry).countEntries({}, machine.call);
  });

  it("accounts for every certificate in its audit log, before it signs", async () => {
    await using machine = await Machine.open();
    await machine.local.startServer();
    using agent = await BareAgent.attest(machine.bareAgents);
    const lines = await auditLines(machine);
    assert.ok(lines.some((line) => line.includes(agent.path) && line.includes("intent")));
    const result = await machine.local.server.client(Admin).verifyAudit({}, machine.call);
    assert.deepEqual([result.intact, result.findings], [true, []]);
  });

  it("finds by its agents that the end of the audit log was removed", async () => {
    await using machine = await Machine.open({ server: { agents: { heartbeat: "5s" } } });
    await machine.local.startServer();
    const agents = machine.local.server.client(Agent);
    for (let n = 0; n < 60; n += 1) await agents.createJoinToken({ ttl: 60 }, machine.call);
    // Its start signs how far the log reaches.
    await machine.local.startServer();
    await machine.local.startAgent();
    const verify = () =>
      machine.local.server.client(Admin).verifyAudit({ witness: true }, machine.call);
    await eventually("a witness", async () => ((await verify()).witnesses > 0 ? true : undefined), {
      timeoutMs: 60_000,
      intervalMs: 500,
    });
    await machine.local.server[Symbol.asyncDispose]();
    const file = await lastSegment(machine);
    const text = await readFile(file, "utf8");
    const kept = text.trimEnd().split("\n").slice(0, -50).join("\n");
    await truncate(file, Buffer.byteLength(kept) + 1);
    await machine.local.startServer();
    const found = await eventually(
      "the agent to tell what it witnessed",
      async () => {
        const result = await verify();
        return result.intact ? undefined : result;
      },
      { timeoutMs: 60_000, intervalMs: 500 },
    );
    assert.notEqual(found.findings.length, 0);
  });

  it("never writes a secret to its log", async () => {
    await using machine = await Machine.start({
      server: { log: { format: "json", level: "debug" } },
      agent: { log: { format: "json", level: "debug" } },
    });
    const { server, layout } = machine.local;
    const token = await server.client(Agent).createJoinToken({ ttl: 60 }, machine.call);
    const jwt = await server
      .client(SVID)
      .mintJWTSVID(
        { id: { trustDomain: "example.test", path: "/a" }, audience: ["b"], ttl: 60 },
        machine.call,
      );
    await assert.rejects(
      server.client(Agent).createJoinToken({ ttl: 60, token: token.value }, machine.call),
      { name: "StatusError", code: Status.ALREADY_EXISTS },
    );
    const logs =
      (await readFile(layout.serverLog, "utf8")) + (await readFile(layout.agentLog, "utf8"));
    assert.match(logs, /Served call/);
    const audit = (await auditLines(machine)).join("\n");
    for (const secret of [token.value, jwt.svid?.token ?? "", "PRIVATE KEY"]) {
      assert.notEqual(secret, "");
      assert.ok(!logs.includes(secret), "a secret is in a log");
      assert.ok(!audit.includes(secret), "a secret is in the audit log");
    }
    assert.doesNotMatch(logs + audit, /eyJ[\w-]+\.eyJ[\w-]+\./);
  });
});

async function lastSegment(machine: Machine): Promise<string> {
  const folder = join(machine.local.layout.serverData, "audit");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".jsonl")).toSorted();
  return join(folder, names.at(-1) ?? "");
}

async function auditLines(machine: Machine): Promise<readonly string[]> {
  // Zeros at the end are room for records to come.
  const text = (await readFile(await lastSegment(machine), "utf8")).replace(/\0+$/, "");
  return text.trimEnd().split("\n");
}
