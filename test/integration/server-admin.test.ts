// What operators ask of a running server, over its admin socket.

import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { describe, it } from "node:test";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { AgentSync, type ServerMessage } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { Logger } from "../../proto/gen/spire/api/server/logger/v1/logger_pb.ts";
import { LogLevel } from "../../proto/gen/spire/api/types/logger_pb.ts";
import { Status } from "../../runtime/errors/status-error.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import {
  CALL,
  type Connection,
  type JoinedAgent,
  RunningServer,
  TRUST_DOMAIN,
} from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";

const uid = (value: number) => ({ type: "unix", value: `uid:${value}` });
const wireId = (id: string) => {
  const { trustDomain, path } = SpiffeId.parse(id);
  return { trustDomain: trustDomain.name, path };
};

/** An agent that answers every question with the same refusals. */
async function answering(
  connection: Connection,
  refusals: readonly object[],
): Promise<AsyncIterator<ServerMessage>> {
  const queries: string[] = [];
  let wake: () => void = () => {};
  async function* requests() {
    yield { message: { case: "hello" as const, value: { protocolMin: 1, protocolMax: 1 } } };
    for (;;) {
      const queryId = queries.shift();
      if (queryId === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      yield { message: { case: "answer" as const, value: { queryId, refusals: [...refusals] } } };
    }
  }
  const messages = connection.client(AgentSync).sync(requests(), CALL)[Symbol.asyncIterator]();
  await messages.next();
  const listen = async (): Promise<void> => {
    try {
      for (;;) {
        const { value, done } = await messages.next();
        if (done === true) return;
        if (value.message.case !== "query") continue;
        queries.push(value.message.value.id);
        wake();
      }
    } catch {
      // The test is over.
    }
  };
  void listen();
  return messages;
}

describe("the server's explanation", () => {
  const ask = async (admin: Connection, agent: JoinedAgent, value: number) => {
    const question = { agentId: wireId(agent.id), selectors: [uid(value)] };
    const { explanations } = await admin.client(Admin).explain(question, CALL);
    return explanations[0];
  };

  it("names the cause for selectors, with the entry that came nearest", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const agent = await server.joinAgent();
    const other = await server.joinAgent();
    assert.equal((await ask(admin, agent, 1000))?.cause, "no_entry");
    await server.createEntries(other.id, "/web");
    const elsewhere = await ask(admin, agent, 1000);
    assert.equal(elsewhere?.cause, "wrong_parent");
    assert.equal(elsewhere?.candidates[0]?.entry?.parentId?.path, SpiffeId.parse(other.id).path);
    const entry = {
      spiffeId: { trustDomain: TRUST_DOMAIN, path: "/mine" },
      parentId: wireId(agent.id),
      selectors: [uid(1000), { type: "unix", value: "gid:7" }],
    };
    await admin.client(Entry).batchCreateEntry({ entries: [entry] }, CALL);
    const near = await ask(admin, agent, 1000);
    assert.equal(near?.cause, "selector_missing");
    assert.equal(near?.summary, `the caller lacks unix:gid:7 for spiffe://${TRUST_DOMAIN}/mine`);
    await server.createEntries(agent.id, "/web");
    const found = await ask(admin, agent, 1000);
    assert.equal(found?.cause, "agent_behind");
    assert.match(found?.summary ?? "", /not connected/);
  });

  it("says that a banned agent's node gets nothing", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const agent = await server.joinAgent();
    await server.createEntries(agent.id, "/web");
    await admin.client(Agent).banAgent({ id: wireId(agent.id) }, CALL);
    const answer = await ask(admin, agent, 1000);
    assert.equal(answer?.cause, "revoked");
  });

  it("asks the agent about a process, and all agents about their recent refusals", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const agent = await server.joinAgent();
    using connection = server.connect(agent.identity);
    const refusal = {
      timeMs: 5n,
      pid: 4711,
      uid: 1000,
      selectors: [uid(1000)],
      failedAttestors: ["k8s"],
      reasonCode: "attestor_failed",
    };
    const stream = await answering(connection, [refusal]);
    const byPid = { agentId: wireId(agent.id), pid: 4711 };
    const { explanations } = await admin.client(Admin).explain(byPid, CALL);
    assert.equal(explanations.length, 1);
    assert.equal(explanations[0]?.cause, "attestor_failed");
    assert.equal(explanations[0]?.refusal?.pid, 4711);
    const recent = await admin.client(Admin).explain({ recent: true }, CALL);
    assert.deepEqual(
      recent.explanations.map(({ agentId, cause }) => [agentId, cause]),
      [[agent.id, "attestor_failed"]],
    );
    await stream.return?.();
  });

  it("does not blame an attestor that failed where the agent says that no entry hung on it", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const agent = await server.joinAgent();
    using connection = server.connect(agent.identity);
    const refusal = {
      ...{ timeMs: 5n, pid: 4711, uid: 1000, selectors: [uid(1000)] },
      ...{ failedAttestors: ["unix"], reasonCode: "no_entry" },
    };
    const stream = await answering(connection, [refusal]);
    const recent = await admin.client(Admin).explain({ recent: true }, CALL);
    assert.deepEqual(
      recent.explanations.map(({ cause }) => cause),
      ["no_entry"],
    );
    await stream.return?.();
  });

  it("says so when the agent cannot be asked", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const agent = await server.joinAgent();
    const explain = (question: object) => admin.client(Admin).explain(question, CALL);
    await assert.rejects(explain({ agentId: wireId(agent.id), pid: 1 }), {
      code: Status.FAILED_PRECONDITION,
      reason: "agent_not_connected",
    });
    const unknown = { trustDomain: TRUST_DOMAIN, path: "/spire/agent/x509pop/nobody" };
    await assert.rejects(explain({ agentId: unknown, pid: 1 }), { code: Status.NOT_FOUND });
    await assert.rejects(explain({ pid: 1 }), {
      code: Status.INVALID_ARGUMENT,
      message: "agent_id: is required with a pid",
    });
    await assert.rejects(explain({}), {
      code: Status.INVALID_ARGUMENT,
      message: "expected selectors, a pid, or recent",
    });
  });
});

describe("the server's reload", () => {
  it("shows what would change, applies what can be, and names what needs a restart", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const level = async () => (await admin.client(Logger).getLogger({}, CALL)).currentLevel;
    server.settings = { log: { level: "warn" }, ca: { x509SvidTtl: "2h" } };
    const expected = {
      applied: [["log.level", '"info"', '"warn"']],
      needsRestart: [["ca.x509SvidTtl", "3600000", "7200000"]],
    };
    const reload = async (dryRun: boolean) => {
      const answer = await admin.client(Admin).reload({ dryRun }, CALL);
      const flat = (changes: typeof answer.applied) =>
        changes.map(({ path, before, after }) => [path, before, after]);
      return { applied: flat(answer.applied), needsRestart: flat(answer.needsRestart) };
    };
    assert.deepEqual(await reload(true), expected);
    assert.notEqual(await level(), LogLevel.WARN);
    assert.deepEqual(await reload(false), expected);
    assert.equal(await level(), LogLevel.WARN);
    assert.deepEqual(await reload(false), { ...expected, applied: [] });
  });

  it("applies nothing of a file with a mistake", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    server.settings = { log: { level: "loud" }, operators: [] };
    await assert.rejects(admin.client(Admin).reload({}, CALL), {
      code: Status.FAILED_PRECONDITION,
      reason: "config_invalid",
      message: 'test: log.level: expected "debug" or "info" or "warn" or "error", got "loud"',
    });
  });
});

describe("the server's other administration", () => {
  it("copies the store while it serves", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    await server.createEntries(`spiffe://${TRUST_DOMAIN}/spire/agent/x509pop/node`, "/web");
    const path = server.dir.join("backup.sqlite");
    const { bytes, revision } = await admin.client(Admin).backup({ path }, CALL);
    const { size, mode } = await stat(path);
    assert.equal(BigInt(size), bytes);
    assert.equal(mode & 0o777, 0o600);
    assert.ok(revision > 0n);
    await assert.rejects(admin.client(Admin).backup({ path: "here" }, CALL), {
      code: Status.INVALID_ARGUMENT,
      reason: "path_not_absolute",
    });
  });

  it("warns about entries that say too little about themselves, or refuses them", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const entry = (path: string) => ({
      spiffeId: { trustDomain: TRUST_DOMAIN, path },
      parentId: { trustDomain: TRUST_DOMAIN, path: "/spire/agent/x509pop/node" },
      selectors: [uid(1)],
    });
    const create = async (path: string, owner = "") => {
      const entries = [{ entry: entry(path), metadata: { owner } }];
      const { results } = await admin.client(Admin).batchCreateEntry({ entries }, CALL);
      return results[0];
    };
    const require = (mode: string) => ({ entries: { require: { fields: ["owner"], mode } } });
    server.settings = require("warn");
    await admin.client(Admin).reload({}, CALL);
    const warned = await create("/a");
    assert.deepEqual([warned?.status?.code, warned?.warnings.length], [Status.OK, 1]);
    server.settings = require("refuse");
    await admin.client(Admin).reload({}, CALL);
    assert.equal((await create("/b"))?.status?.code, Status.INVALID_ARGUMENT);
    assert.equal((await create("/b", "team-a"))?.status?.code, Status.OK);
  });

  it("survives a restart with its authorities, agents and entries", async () => {
    await using dir = await TempDir.open();
    let agent: JoinedAgent;
    {
      await using server = await RunningServer.open({}, dir);
      agent = await server.joinAgent();
      await server.createEntries(agent.id, "/web");
    }
    await using server = await RunningServer.open({}, dir);
    using connection = server.connect(agent.identity);
    const { entries } = await connection.client(Entry).getAuthorizedEntries({}, CALL);
    assert.deepEqual(
      entries.map(({ spiffeId }) => spiffeId?.path),
      ["/web"],
    );
    const { x509Authorities } = await connection.client(Bundle).getBundle({}, CALL);
    assert.equal(x509Authorities.length, 1);
  });
});
