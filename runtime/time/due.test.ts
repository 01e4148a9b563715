import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Random } from "../random.ts";
import { renewalDelayMs, renewalInstant } from "./due.ts";

const notBefore = new Date("2026-01-01T00:00:00Z");
const notAfter = new Date("2026-01-01T01:00:00Z");
const drawing = (value: number): Random => ({
  bytes: (length) => new Uint8Array(length),
  uniform: () => value,
});

const dueAfterMinutes = (fraction: number, jitter: number, drawn: number): number =>
  (renewalInstant({ notBefore, notAfter, fraction, jitter, random: drawing(drawn) }).getTime() -
    notBefore.getTime()) /
  60_000;

describe("renewalInstant", () => {
  it("lies at the given fraction of the life when nothing is drawn either way", () => {
    assert.equal(dueAfterMinutes(1 / 3, 0.1, 0.5), 20);
  });

  it("moves by at most the jitter in either direction", () => {
    assert.equal(dueAfterMinutes(0.5, 0.1, 0), 27);
    assert.ok(dueAfterMinutes(0.5, 0.1, 1 - Number.EPSILON) <= 33);
  });

  it("never lies past the end of the life", () => {
    assert.equal(dueAfterMinutes(1, 0.5, 0.99), 60);
  });

  it("is due at once for a credential without a life", () => {
    const due = renewalInstant({
      notBefore: notAfter,
      notAfter: notBefore,
      fraction: 0.5,
      jitter: 0.1,
      random: drawing(0.9),
    });
    assert.deepEqual(due, notAfter);
  });
});

describe("renewalDelayMs", () => {
  const renewAt = new Date("2026-01-01T00:20:00Z");
  const cases = [
    { name: "the clocks agree", now: "2026-01-01T00:00:00Z", minutes: 20 },
    { name: "ours is behind", now: "2025-12-31T23:00:00Z", minutes: 20 },
    { name: "ours is ahead", now: "2026-01-01T00:40:00Z", minutes: 10 },
    { name: "ours is ahead by the whole life", now: "2026-01-01T01:00:00Z", minutes: 5 / 60 },
  ];
  for (const { name, now, minutes } of cases) {
    it(`is ${minutes.toFixed(2)} minutes when ${name}`, () => {
      const ms = renewalDelayMs({ notBefore, notAfter, renewAt, now: new Date(now) });
      assert.equal(ms, minutes * 60_000);
    });
  }
});
