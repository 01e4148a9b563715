import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { MemoryStore } from "../../test/fakes/memory-store.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { newEntry } from "../../test/support/entries.ts";
import { runEntryExpiry } from "./entry-expiry.ts";

const START = 1_772_366_400;

interface Running extends AsyncDisposable {
  readonly store: MemoryStore;
  readonly clock: FakeClock;
  readonly log: RecordingLog;
  create(id: string, expiresAt: number): Promise<void>;
  /** Resolves with the IDs and the wall clock's seconds when entries next expire. */
  readonly expired: { readonly ids: string[]; readonly at: number }[];
}

async function start(): Promise<Running> {
  const clock = new FakeClock(new Date(START * 1000));
  const store = await MemoryStore.open(clock);
  const log = new RecordingLog();
  const expired: Running["expired"] = [];
  store.onCommit(({ changes }) => {
    const ids = changes.flatMap(({ action, id }) => (action === "expire" ? [id] : []));
    if (ids.length > 0) expired.push({ ids, at: clock.now().getTime() / 1000 - START });
  });
  const stop = new AbortController();
  const random = new FakeRandom(1);
  const running = runEntryExpiry({ store, clock, random, log: log.log }, stop.signal);
  await clock.whenSleeping();
  return {
    store,
    clock,
    log,
    expired,
    create: async (id, expiresAt) => {
      const entries = [newEntry(id, { expiresAt })];
      await store.write("createEntries", { entries, now: START, actor: "test" });
      await clock.advance(0);
      await clock.whenSleeping();
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
      store[Symbol.dispose]();
    },
  };
}

/** Lets time pass in steps in which the loop comes to rest. */
async function pass(clock: FakeClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    await clock.advance(1000);
    await clock.whenSleeping();
  }
}

describe("runEntryExpiry", () => {
  it("ends each entry in the second in which its time is up", async () => {
    await using running = await start();
    await running.create("late", START + 130);
    await running.create("early", START + 65);
    await running.create("never", 0);
    await pass(running.clock, 200);
    assert.deepEqual(running.expired, [
      { ids: ["early"], at: 65 },
      { ids: ["late"], at: 130 },
    ]);
    assert.deepEqual(await running.store.read("countEntries", { filter: {} }), 1);
  });

  it("wakes for an entry that expires before the one it waits for", async () => {
    await using running = await start();
    await running.create("late", START + 50);
    await pass(running.clock, 1);
    await running.create("soon", START + 3);
    await pass(running.clock, 5);
    assert.deepEqual(running.expired, [{ ids: ["soon"], at: 3 }]);
  });

  it("ends within a minute what a jump of the wall clock made due", async () => {
    await using running = await start();
    await running.create("far", START + 86_400);
    running.clock.jump(90_000_000);
    await pass(running.clock, 60);
    assert.deepEqual(
      running.expired.map(({ ids }) => ids),
      [["far"]],
    );
  });

  it("goes on after the store failed", async () => {
    await using running = await start();
    await running.create("due", START + 2);
    running.store.fault = { reason: "store_full", message: "the store is full" };
    await pass(running.clock, 3);
    assert.deepEqual(running.log.messages("warn").slice(0, 1), ["Ending expired entries failed"]);
    running.store.fault = undefined;
    await pass(running.clock, 60);
    assert.deepEqual(
      running.expired.map(({ ids }) => ids),
      [["due"]],
    );
  });
});
