import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "./fake-clock.ts";

const never = new AbortController().signal;

describe("FakeClock", () => {
  it("wakes sleepers in the order they are due, each at its own instant", async () => {
    const clock = new FakeClock("2026-03-01T00:00:00Z");
    const woken: string[] = [];
    const sleep = async (ms: number): Promise<void> => {
      await clock.sleep(ms, never);
      woken.push(clock.now().toISOString());
    };
    const sleeps = [sleep(2000), sleep(1000), sleep(5000)];
    await clock.advance(3000);
    assert.deepEqual(woken, ["2026-03-01T00:00:01.000Z", "2026-03-01T00:00:02.000Z"]);
    assert.equal(clock.sleeping, 1);
    await clock.advance(2000);
    await Promise.all(sleeps);
    assert.equal(clock.monotonicMs(), 5000);
  });

  it("lets a loop sleep again within one advance", async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    let rounds = 0;
    const loop = (async () => {
      while (!stop.signal.aborted) {
        await clock.sleep(100, stop.signal);
        rounds += 1;
      }
    })();
    await clock.advance(1000);
    assert.equal(rounds, 10);
    stop.abort();
    await loop;
    assert.equal(clock.sleeping, 0);
  });

  it("corrects the wall clock without waking anybody", async () => {
    const clock = new FakeClock("2026-03-01T00:00:00Z");
    const stop = new AbortController();
    const sleeping = clock.sleep(1000, stop.signal);
    clock.jump(-86_400_000);
    await clock.advance(0);
    assert.equal(clock.now().toISOString(), "2026-02-28T00:00:00.000Z");
    assert.equal(clock.sleeping, 1);
    stop.abort();
    await sleeping;
  });

  it("says when enough sleeps are under way", async () => {
    const clock = new FakeClock();
    const resting = clock.whenSleeping(2);
    const stop = new AbortController();
    const sleeps = [clock.sleep(1, stop.signal), clock.sleep(1, stop.signal)];
    await resting;
    await clock.whenSleeping(1);
    stop.abort();
    await Promise.all(sleeps);
  });
});
