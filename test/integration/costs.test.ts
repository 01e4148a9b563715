// What things cost, in counters that are the same on every machine: no time is measured. A change that makes one of them rise has to
// raise its limit here, where a reader sees it.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { LocalAuthority } from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { type OpenSegmentFile, openSegmentFile } from "../../runtime/journal/segment.ts";
import { JournalAuditLog } from "../../server/audit/journal-audit-log.ts";
import { MemoryKeyManager } from "../../server/keymanager/memory-key-manager.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import { FakeRandom } from "../fakes/fake-random.ts";
import { MemoryStore } from "../fakes/memory-store.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import { ByteCounter } from "../support/byte-counter.ts";
import { type CaParts, openCaParts } from "../support/ca-parts.ts";
import { agentCall, workloadOrder } from "../support/ca-world.ts";
import { newEntry } from "../support/entries.ts";
import { CALL, csrOf, type JoinedAgent, newKey, RunningServer } from "../support/running-server.ts";
import { SyncStream } from "../support/sync-stream.ts";
import { TempDir } from "../support/temp-dir.ts";
import { readWal } from "../support/wal.ts";

/** At most so much of each, with some room where a busy machine may split a group. */
const LIMITS = {
  durableWritesPerSvidInBatchesOf50: 0.024,
  durableWritesPerSvidOneByOne: 1.02,
  durableWritesPerSvid32AtOnce: 0.1,
  durableWritesPerTokenOneByOne: 1.02,
  durableWritesPerToken32AtOnce: 0.1,
  auditBytesPerSvidInBatchesOf50: 450,
  auditBytesPerToken: 1_450,
  heapBytesPerSvid: 40_000,
  heapBytesPerToken: 75_000,
  wireBytesPerSvidInBatchesOf50: 870,
  wireBytesPerSvidOneByOne: 1_060,
  wireBytesPerToken: 620,
  statementsPerBatchOf500Entries: 61,
  statementsPerEntryOneByOne: 11,
  commitsPerBatchOfEntries: 1.5,
  storeBytesPerEntryInBatchesOf500: 1_150,
  updatesPerChangeAtTheAgent: 1,
  updatesPerChangeAtOthers: 0,
  updatesPerBatchAtTheAgent: 1,
  updatesPerAuthority: 1,
  wireBytesPerEntryPushed: 190,
} as const;

function within(what: keyof typeof LIMITS, counted: number): void {
  assert.ok(counted <= LIMITS[what], `${what}: ${counted}, at most ${LIMITS[what]} are allowed`);
}

// When code is compiled depends on the machine, and compiled code allocates less: here none is.
for (const flag of ["--no-opt", "--no-maglev", "--no-sparkplug"]) setFlagsFromString(flag);

describe("what an SVID costs", () => {
  const stack = new AsyncDisposableStack();
  const written = { times: 0, bytes: 0 };
  let parts: CaParts;
  let audit: JournalAuditLog;

  before(async () => {
    const { path: directory } = stack.use(await TempDir.open());
    const { log } = new RecordingLog();
    const clock = new FakeClock();
    const keys = new MemoryKeyManager();
    const openFile: OpenSegmentFile = async (path) => counting(await openSegmentFile(path));
    audit = await JournalAuditLog.open({ directory, writer: "test", clock, keys, log, openFile });
    stack.use(audit);
    const store = stack.use(await MemoryStore.open(clock));
    const deps = { clock, random: new FakeRandom("costs"), store, keys, audit, log };
    parts = stack.use(await openCaParts(deps, {}));
  });
  after(() => stack[Symbol.asyncDispose]());

  function counting(file: Awaited<ReturnType<OpenSegmentFile>>): typeof file {
    return {
      write: (bytes, offset) => {
        written.times += 1;
        written.bytes += bytes.length;
        return file.write(bytes, offset);
      },
      truncate: (length) => file.truncate(length),
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    };
  }

  /** What `count` of something cost, each. The first run is not counted. */
  async function perPiece(
    count: number,
    act: () => Promise<void>,
  ): Promise<{ readonly writes: number; readonly bytes: number; readonly heap: number }> {
    await act();
    await audit.flush();
    const { times, bytes } = written;
    const heap = getHeapStatistics().total_allocated_bytes;
    await act();
    const allocated = getHeapStatistics().total_allocated_bytes - heap;
    await audit.flush();
    return {
      writes: (written.times - times) / count,
      bytes: (written.bytes - bytes) / count,
      heap: allocated / count,
    };
  }

  const orders = (count: number) =>
    Array.from({ length: count }, (_, n) => workloadOrder(parts.trustDomain, `/w/${n}`));

  async function sign(batch: ReturnType<typeof orders>): Promise<void> {
    for (const result of await parts.ca.signX509Svids(agentCall, batch)) {
      assert.equal(result.issued, true);
    }
  }

  it("X.509: one durable write a call, and less when calls come together", async () => {
    const all = orders(300);
    const batches = await perPiece(300, async () => {
      for (let first = 0; first < 300; first += 50) await sign(all.slice(first, first + 50));
    });
    within("durableWritesPerSvidInBatchesOf50", batches.writes);
    within("auditBytesPerSvidInBatchesOf50", batches.bytes);
    within("heapBytesPerSvid", batches.heap);
    const single = await perPiece(100, async () => {
      for (const order of all.slice(0, 100)) await sign([order]);
    });
    within("durableWritesPerSvidOneByOne", single.writes);
    const together = await perPiece(160, async () => {
      for (let first = 0; first < 160; first += 32) {
        await Promise.all(all.slice(first, first + 32).map((order) => sign([order])));
      }
    });
    within("durableWritesPerSvid32AtOnce", together.writes);
  });

  it("JWT likewise", async () => {
    const all = orders(160);
    const token = async ({ spiffeId, entry }: (typeof all)[number]): Promise<void> => {
      if (entry === undefined) throw new TypeError("an order lacks its entry");
      const wanted = { profile: "jwt_workload", spiffeId, entry, audiences: ["db"] } as const;
      await parts.ca.signJwtSvid(agentCall, wanted);
    };
    const single = await perPiece(100, async () => {
      for (const order of all.slice(0, 100)) await token(order);
    });
    within("durableWritesPerTokenOneByOne", single.writes);
    within("auditBytesPerToken", single.bytes);
    within("heapBytesPerToken", single.heap);
    const together = await perPiece(160, async () => {
      for (let first = 0; first < 160; first += 32) {
        await Promise.all(all.slice(first, first + 32).map(token));
      }
    });
    within("durableWritesPerToken32AtOnce", together.writes);
  });

  it("bytes on the wire, request and answer together", async () => {
    await using server = await RunningServer.open();
    await using counter = await ByteCounter.open(server.server.port);
    const agent = await server.joinAgent();
    const names = Array.from({ length: 50 }, (_, n) => `/w/${n}`);
    const ids = await server.createEntries(agent.id, ...names);
    const params = ids.map((entryId) => ({ entryId, csr: csrOf(newKey()) }));
    using connection = server.connect(agent.identity, counter.address);
    const svid = connection.client(SVID);
    const bytesOf = async (count: number, act: () => Promise<unknown>): Promise<number> => {
      await act();
      const from = counter.bytes;
      await act();
      return (counter.bytes - from) / count;
    };
    within(
      "wireBytesPerSvidInBatchesOf50",
      await bytesOf(50, () => svid.batchNewX509SVID({ params }, CALL)),
    );
    const single = await bytesOf(50, async () => {
      for (const each of params) await svid.batchNewX509SVID({ params: [each] }, CALL);
    });
    within("wireBytesPerSvidOneByOne", single);
    const token = await bytesOf(50, async () => {
      for (const entryId of ids) await svid.newJWTSVID({ entryId, audience: ["db"] }, CALL);
    });
    within("wireBytesPerToken", token);
  });
});

describe("what a change of entries costs", () => {
  const entries = (from: number, count: number) =>
    Array.from({ length: count }, (_, n) => newEntry(`entry-${from + n}`));

  it("in statements", async () => {
    using store = await MemoryStore.open();
    const create = (from: number, count: number) => () =>
      store.write("createEntries", { entries: entries(from, count), now: 0, actor: "test" });
    const whole = await store.statementsOf(create(0, 500));
    within("statementsPerBatchOf500Entries", whole.length);
    const single = await store.statementsOf(create(500, 1));
    within("statementsPerEntryOneByOne", single.length);
  });

  it("in transactions and bytes of the store", async () => {
    await using server = await RunningServer.open();
    const log = server.dir.join("data", "store.sqlite-wal");
    const names = (from: number) => Array.from({ length: 500 }, (_, n) => `/w/${from + n}`);
    const agentId = "spiffe://example.test/spire/agent/join_token/a";
    await server.createEntries(agentId, ...names(0));
    const first = await readWal(log);
    for (let from = 500; from < 4_500; from += 500) {
      await server.createEntries(agentId, ...names(from));
    }
    const { commits, pages } = await readWal(log);
    within("commitsPerBatchOfEntries", (commits - first.commits) / 8);
    within("storeBytesPerEntryInBatchesOf500", ((pages - first.pages) * 4096) / 4_000);
  });

  it("in messages and bytes to agents", async () => {
    await using server = await RunningServer.open();
    await using counter = await ByteCounter.open(server.server.port);
    const agents: readonly JoinedAgent[] = [await server.joinAgent(), await server.joinAgent()];
    const [one, other] = agents as [JoinedAgent, JoinedAgent];
    await using concerned = new SyncStream(server, one, counter.address);
    await using others = new SyncStream(server, other);
    using admin = server.admin();
    const change = async (agent: JoinedAgent, stream: SyncStream, name: string): Promise<void> => {
      const [id = ""] = await server.createEntries(agent.id, name);
      await stream.nextUpdate();
      await admin.client(Entry).batchDeleteEntry({ ids: [id] }, CALL);
      await stream.nextUpdate();
    };
    await concerned.begin();
    await others.begin();
    // After its hello the server notes the agent's version, which is a change as well. It is over when another one is.
    await change(one, concerned, "/first");
    await change(other, others, "/first");
    const before = { concerned: concerned.updates, others: others.updates };
    const changes = 40;
    for (let n = 0; n < changes / 2; n++) await change(one, concerned, `/w/${n}`);
    within("updatesPerChangeAtTheAgent", (concerned.updates - before.concerned) / changes);
    // Whatever had been sent to the other one would come before this.
    await server.createEntries(other.id, "/end");
    await others.nextUpdate();
    within("updatesPerChangeAtOthers", others.updates - before.others - 1);

    const { updates } = concerned;
    const { bytes } = counter;
    await server.createEntries(one.id, ...Array.from({ length: 100 }, (_, n) => `/batch/${n}`));
    await concerned.nextUpdate();
    within("updatesPerBatchAtTheAgent", concerned.updates - updates);
    within("wireBytesPerEntryPushed", (counter.bytes - bytes) / 100);

    await admin.client(LocalAuthority).prepareX509Authority({}, CALL);
    const seen = concerned.updates;
    await concerned.nextUpdate();
    await server.createEntries(one.id, "/end");
    await concerned.nextUpdate();
    within("updatesPerAuthority", concerned.updates - seen - 1);
  });
});
