import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { systemClock } from "./clock.ts";

describe("systemClock", () => {
  it("sleeps at least as long as asked by the monotonic clock", async () => {
    const before = systemClock.monotonicMs();
    await systemClock.sleep(5, new AbortController().signal);
    assert.ok(systemClock.monotonicMs() - before >= 4);
  });

  it("ends a sleep as soon as the signal aborts, without rejecting", async () => {
    const controller = new AbortController();
    const sleeping = systemClock.sleep(3_600_000, controller.signal);
    controller.abort();
    await sleeping;
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  });

  it("returns at once when the signal has aborted already", async () => {
    await systemClock.sleep(3_600_000, AbortSignal.abort());
  });

  it("does not turn a sleep longer than 24 days into none", async () => {
    const controller = new AbortController();
    let woke = false;
    const sleeping = systemClock.sleep(2 ** 40, controller.signal).then(() => {
      woke = true;
    });
    await systemClock.sleep(5, new AbortController().signal);
    assert.equal(woke, false);
    controller.abort();
    await sleeping;
  });

  it("leaves no listener behind after a finished sleep", async () => {
    const controller = new AbortController();
    await systemClock.sleep(0, controller.signal);
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  });
});
