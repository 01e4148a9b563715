import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatDuration, parseDuration } from "./duration.ts";

describe("parseDuration", () => {
  const good: readonly [string, number][] = [
    ["0s", 0],
    ["250ms", 250],
    ["90s", 90_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["7d", 604_800_000],
    ["1d2h3m4s5ms", 93_784_005],
  ];
  for (const [text, ms] of good) {
    it(`reads ${text}`, () => assert.equal(parseDuration(text), ms));
  }

  for (const text of ["", "5", "1.5h", "-1s", "1m1h", "1 s", "s", "1w", "1h 30m", "1s\n"]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseDuration(text), undefined));
  }
});

describe("formatDuration", () => {
  it("writes what parseDuration reads", () => {
    fc.assert(fc.property(fc.nat(2 ** 31 - 1), (ms) => parseDuration(formatDuration(ms)) === ms));
  });

  it("is the only text that it reads for that duration, but for zeros and larger counts", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12, unit: fc.constantFrom(..."0159dhms ") }), (text) => {
        const ms = parseDuration(text);
        return ms === undefined || parseDuration(formatDuration(ms)) === ms;
      }),
    );
  });
});
