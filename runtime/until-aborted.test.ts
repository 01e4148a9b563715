import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { untilAborted } from "./until-aborted.ts";

describe("untilAborted", () => {
  it("gives the result and leaves no listener behind", async () => {
    const { signal } = new AbortController();
    assert.equal(await untilAborted(Promise.resolve(1), signal), 1);
    await assert.rejects(untilAborted(Promise.reject(new Error("failed")), signal), /failed/);
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  it("rejects with the reason when the signal aborts first", async () => {
    const controller = new AbortController();
    const late = Promise.withResolvers<void>();
    const waiting = untilAborted(late.promise, controller.signal);
    controller.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    late.reject(new Error("nobody listens"));
  });

  it("rejects at once when the signal has aborted already", async () => {
    const reason = new Error("enough");
    await assert.rejects(untilAborted(new Promise(() => {}), AbortSignal.abort(reason)), reason);
  });
});
