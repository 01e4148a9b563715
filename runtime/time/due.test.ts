import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Random } from "../random.ts";
import { renewalInstant } from "./due.ts";

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
