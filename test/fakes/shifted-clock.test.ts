import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "../../runtime/time/clock.ts";
import { ShiftedClock } from "./shifted-clock.ts";

describe("ShiftedClock", () => {
  it("moves the wall clock and nothing else", async () => {
    const clock = new ShiftedClock();
    const before = clock.monotonicMs();
    clock.shift(3_600_000);
    const ahead = clock.now().getTime() - systemClock.now().getTime();
    assert.ok(Math.abs(ahead - 3_600_000) < 60_000);
    await clock.sleep(1, new AbortController().signal);
    assert.ok(clock.monotonicMs() - before < 60_000);
  });
});
