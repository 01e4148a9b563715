// The push stream over real sockets: what arrives, what is acknowledged, and how far a change has come.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Admin, type Rollout } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import {
  Acknowledgement_State as Ack,
  Update_Kind as Kind,
  type ServerMessage,
  type Update,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { LocalAuthority } from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { GENESIS, renderLine } from "../../runtime/journal/line.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { eventually } from "../support/eventually.ts";
import {
  CALL,
  type Connection,
  type JoinedAgent,
  RunningServer,
} from "../support/running-server.ts";
import { SyncStream } from "../support/sync-stream.ts";
import { TempDir } from "../support/temp-dir.ts";

const idsOf = ({ entries }: Update): string[] =>
  entries.map(({ entry }) => entry?.spiffeId?.path ?? "").sort();

/** Everything that the operator who waits for a revision sees. */
async function rollout(admin: Connection, revision: bigint): Promise<readonly Rollout[]> {
  const seen: Rollout[] = [];
  for await (const one of admin.client(Admin).watchRollout({ revision }, CALL)) seen.push(one);
  return seen;
}

describe("the push stream", () => {
  it("brings an entry within the call that creates it, and its end likewise", async () => {
    await using server = await RunningServer.open();
    const agent = await server.joinAgent();
    await using stream = new SyncStream(server, agent);
    const snapshot = await stream.begin();
    assert.equal(snapshot.kind, Kind.SNAPSHOT);
    assert.equal(snapshot.bundles[0]?.trustDomain, "example.test");
    const [entryId = ""] = await server.createEntries(agent.id, "/web");
    const added = await stream.nextUpdate();
    assert.deepEqual([added.kind, idsOf(added)], [Kind.DIFFERENCE, ["/web"]]);
    using admin = server.admin();
    await admin.client(Entry).batchDeleteEntry({ ids: [entryId] }, CALL);
    assert.deepEqual((await stream.nextUpdate()).removedEntryIds, [entryId]);
  });

  it("tells an operator when a change has been applied, and who is still late", async () => {
    await using server = await RunningServer.open();
    const [quick, slow] = [await server.joinAgent(), await server.joinAgent()];
    const away = await server.joinAgent();
    await using first = new SyncStream(server, quick);
    await using second = new SyncStream(server, slow);
    for (const stream of [first, second]) stream.acknowledge(Ack.DELIVERED, await stream.begin());
    using admin = server.admin();
    const node = (id: string) => {
      const { trustDomain, path } = SpiffeId.parse(id);
      return { trustDomain: trustDomain.name, path };
    };
    const entries = [quick, slow].map(({ id }) => ({
      entry: {
        spiffeId: node(`spiffe://example.test/web`),
        parentId: node(id),
        selectors: [{ type: "unix", value: "uid:1" }],
      },
    }));
    const { revision } = await admin.client(Admin).batchCreateEntry({ entries }, CALL);
    const watching = rollout(admin, revision);
    first.acknowledge(Ack.APPLIED, await first.nextUpdate());
    const late = await second.nextUpdate();
    await eventually("the operator to see who is late", async () => {
      const it = admin.client(Admin).watchRollout({ revision }, CALL)[Symbol.asyncIterator]();
      const { value } = await it.next();
      await it.return?.();
      return value?.late.length === 1 && value.late[0] === slow.id ? true : undefined;
    });
    second.acknowledge(Ack.APPLIED, late);
    const seen = await watching;
    const last = seen.at(-1);
    assert.deepEqual([last?.complete, last?.applied, last?.late], [true, 2, []]);
    assert.deepEqual(
      last?.absent.map(({ agentId }) => agentId),
      [away.id],
    );
  });

  it("resumes where the agent was, across a restart of the server", async () => {
    await using dir = await TempDir.open();
    let agent: JoinedAgent;
    let held: Update;
    {
      await using server = await RunningServer.open({}, dir);
      agent = await server.joinAgent();
      await server.createEntries(agent.id, "/a", "/b");
      await using stream = new SyncStream(server, agent);
      held = await stream.begin();
      assert.deepEqual(idsOf(held), ["/a", "/b"]);
      await server.createEntries(agent.id, "/c");
    }
    await using server = await RunningServer.open({}, dir);
    await server.createEntries(agent.id, "/d");
    await using stream = new SyncStream(server, agent);
    const update = await stream.begin({
      ...(held.cursor === undefined ? {} : { cursor: held.cursor }),
      digest: held.authorizationDigest,
    });
    assert.deepEqual([update.kind, idsOf(update)], [Kind.DIFFERENCE, ["/c", "/d"]]);
  });

  it("brings a new authority to every agent at once", async () => {
    await using server = await RunningServer.open();
    const agents = [await server.joinAgent(), await server.joinAgent(), await server.joinAgent()];
    const streams = agents.map((agent) => new SyncStream(server, agent));
    await using stack = new AsyncDisposableStack();
    for (const stream of streams) stack.use(stream);
    for (const stream of streams) await stream.begin();
    using admin = server.admin();
    await admin.client(LocalAuthority).prepareX509Authority({}, CALL);
    for (const stream of streams) {
      const { bundles } = await stream.nextUpdate();
      assert.equal(bundles[0]?.x509Authorities.length, 2);
    }
  });

  it("stays cheap and true for an agent that does not read, while others are served", async () => {
    await using server = await RunningServer.open({ limits: { slowReaderTimeout: "60s" } });
    const [stuck, lively] = [await server.joinAgent(), await server.joinAgent()];
    await using blocked = new SyncStream(server, stuck);
    await using quick = new SyncStream(server, lively);
    await blocked.begin();
    await quick.begin();
    for (let i = 0; i < 30; i++) {
      await server.createEntries(stuck.id, ...Array.from({ length: 20 }, (_, n) => `/s-${i}-${n}`));
      await server.createEntries(lively.id, `/q-${i}`);
      assert.deepEqual(idsOf(await quick.nextUpdate()), [`/q-${i}`]);
    }
    // What waited is told in a few updates, however many changes there were.
    const told = new Set<string>();
    let updates = 0;
    while (told.size < 600) {
      for (const id of idsOf(await blocked.nextUpdate())) told.add(id);
      updates += 1;
    }
    assert.ok(updates <= 30, `${updates} updates`);
  });

  it("keeps what the agent reports: its version, bindings, audit records and what it has witnessed", async () => {
    await using server = await RunningServer.open({ agents: { heartbeat: "1s" } });
    const agent = await server.joinAgent();
    await using stream = new SyncStream(server, agent);
    await stream.begin();
    using admin = server.admin();
    const [entryId = ""] = await server.createEntries(agent.id, "/web");
    const boundAtMs = BigInt(server.clock.now().getTime());
    const binding = {
      credential: "0a1b",
      entryId,
      instance: "pod-1",
      executable: "/bin/x",
      boundAtMs,
    };
    stream.send({ case: "bindings", value: { bindings: [binding] } });
    const line = Buffer.from(renderLine(GENESIS, '{"action":"svid.deliver"}').text);
    stream.send({ case: "audit", value: { firstSeq: 1n, lines: [line] } });
    let heartbeat: ServerMessage["message"] | undefined;
    let receipt: bigint | undefined;
    while (heartbeat === undefined || receipt === undefined) {
      const message = await stream.next();
      if (message.case === "heartbeat") heartbeat = message;
      if (message.case === "auditReceipt") receipt = message.value.throughSeq;
    }
    assert.equal(receipt, 1n);
    assert.equal(heartbeat.case, "heartbeat");
    const head = heartbeat.case === "heartbeat" ? heartbeat.value.auditHead : undefined;
    assert.ok(head !== undefined && head.signature.length > 0);
    stream.send({ case: "heartbeat", value: { witnessed: head } });

    const verified = await eventually("a witness", async () => {
      const result = await admin.client(Admin).verifyAudit({ witness: true }, CALL);
      return result.witnesses === 1 ? result : undefined;
    });
    assert.deepEqual([verified.intact, verified.findings], [true, []]);
    const records = await eventually("the binding", async () => {
      const found: Record<string, unknown>[] = [];
      const query = { credential: "0a1b" };
      for await (const { line } of admin.client(Admin).listAudit(query, CALL)) {
        found.push(JSON.parse(Buffer.from(line).toString("utf8")));
      }
      return found.length > 0 ? found : undefined;
    });
    assert.equal(records[0]?.["action"], "svid.bind");
  });

  it("finds out that records are missing that an agent has witnessed", async () => {
    await using server = await RunningServer.open({ agents: { heartbeat: "1s" } });
    const agent = await server.joinAgent();
    await using stream = new SyncStream(server, agent);
    await stream.begin();
    // A head that the log has not reached: as if its end had been cut off since.
    const witnessed = { writer: "server", seq: 10_000n, hash: new Uint8Array(32), timeMs: 0n };
    stream.send({ case: "heartbeat", value: { witnessed } });
    using admin = server.admin();
    const result = await eventually("a witness", async () => {
      const answer = await admin.client(Admin).verifyAudit({ witness: true }, CALL);
      return answer.witnesses === 1 ? answer : undefined;
    });
    assert.equal(result.intact, false);
    assert.ok(result.findings.length > 0);
  });
});
