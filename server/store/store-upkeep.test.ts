import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { MemoryStore } from "../../test/fakes/memory-store.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { runStoreUpkeep } from "./store-upkeep.ts";

const START = 1_772_366_400;
const HOUR_MS = 3_600_000;

describe("runStoreUpkeep", () => {
  it("takes changes of more than a day ago out of the log, and tokens that have expired", async () => {
    const clock = new FakeClock(new Date(START * 1000));
    using store = await MemoryStore.open(clock);
    await store.write("putSetting", { key: "old", value: "1" });
    const token = { tokenHash: "aa", expiresAt: START + 60, now: START, actor: "test" };
    await store.write("createJoinToken", token);
    await clock.advance(23 * HOUR_MS);
    await store.write("putSetting", { key: "new", value: "1" });
    const log = new RecordingLog();
    const stop = new AbortController();
    const running = runStoreUpkeep({ store, clock, log: log.log }, stop.signal);
    await clock.whenSleeping();
    assert.equal(await store.read("getJoinToken", { tokenHash: "aa" }), undefined);
    assert.equal((await store.read("storeState", {})).logFloor, 0n);
    await clock.advance(HOUR_MS);
    await clock.whenSleeping();
    stop.abort();
    await running;
    assert.equal((await store.read("storeState", {})).logFloor, 2n);
    const kept = await store.read("changesSince", { revision: 2n, limit: 10 });
    assert.deepEqual(
      kept.changes.map(({ id, action }) => [id, action]),
      [
        ["new", "create"],
        ["aa", "expire"],
      ],
    );
    assert.deepEqual(log.messages("warn"), []);
  });

  it("tries again after the store failed", async () => {
    const clock = new FakeClock();
    using store = await MemoryStore.open(clock);
    store.fault = { reason: "store_io", message: "the store file cannot be read or written" };
    const log = new RecordingLog();
    const stop = new AbortController();
    const running = runStoreUpkeep({ store, clock, log: log.log }, stop.signal);
    await clock.whenSleeping();
    store.fault = undefined;
    await clock.advance(60_000);
    await clock.whenSleeping();
    stop.abort();
    await running;
    assert.deepEqual(log.messages("warn"), ["Pruning the store failed"]);
  });
});
