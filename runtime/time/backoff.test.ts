import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Random } from "../random.ts";
import { Backoff } from "./backoff.ts";

const always = (value: number): Random => ({
  bytes: (length) => new Uint8Array(length),
  uniform: () => value,
});

describe("Backoff", () => {
  it("doubles the ceiling until the maximum", () => {
    const backoff = new Backoff({ baseMs: 100, maxMs: 500, random: always(0.5) });
    const delays = Array.from({ length: 5 }, () => backoff.nextMs());
    assert.deepEqual(delays, [50, 100, 200, 250, 250]);
  });

  it("starts over after a reset", () => {
    const backoff = new Backoff({ baseMs: 100, maxMs: 500, random: always(0.5) });
    backoff.nextMs();
    backoff.nextMs();
    backoff.reset();
    assert.equal(backoff.nextMs(), 50);
  });

  it("may draw no delay at all (full jitter)", () => {
    const backoff = new Backoff({ baseMs: 100, maxMs: 500, random: always(0) });
    assert.equal(backoff.nextMs(), 0);
  });

  for (const [baseMs, maxMs] of [
    [0, 1],
    [2, 1],
    [Number.NaN, 1],
  ] as const) {
    it(`refuses baseMs ${baseMs} with maxMs ${maxMs}`, () => {
      assert.throws(() => new Backoff({ baseMs, maxMs, random: always(0) }), {
        name: "RangeError",
        message: "backoff: 0 < baseMs <= maxMs is required",
      });
    });
  }
});
