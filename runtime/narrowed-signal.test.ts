import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NarrowedSignal } from "./narrowed-signal.ts";

describe("NarrowedSignal", () => {
  it("aborts with the outer signal, for its reason", () => {
    const outer = new AbortController();
    using narrowed = new NarrowedSignal(outer.signal);
    assert.equal(narrowed.signal.aborted, false);
    const reason = new Error("outer");
    outer.abort(reason);
    assert.equal(narrowed.signal.reason, reason);
  });

  it("is aborted from the start if the outer signal is", () => {
    using narrowed = new NarrowedSignal(AbortSignal.abort("before"));
    assert.equal(narrowed.signal.reason, "before");
  });

  it("ends before the outer signal, which is left alone", () => {
    const outer = new AbortController();
    using narrowed = new NarrowedSignal(outer.signal);
    narrowed.end();
    assert.ok(narrowed.signal.aborted && !outer.signal.aborted);
    const { reason } = narrowed.signal;
    narrowed.end("again");
    outer.abort();
    assert.equal(narrowed.signal.reason, reason);
  });

  it("does not follow once it is let go of", () => {
    const outer = new AbortController();
    const narrowed = new NarrowedSignal(outer.signal);
    narrowed[Symbol.dispose]();
    outer.abort();
    assert.equal(narrowed.signal.aborted, false);
  });

  it("aborts when its time is up", async () => {
    using narrowed = new NarrowedSignal(new AbortController().signal);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    narrowed.signal.addEventListener("abort", () => resolve(narrowed.signal.reason));
    narrowed.limit(1);
    const reason = await promise;
    assert.ok(reason instanceof DOMException && reason.name === "TimeoutError");
  });
});
