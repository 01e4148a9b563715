// How hard properties are tried: in an ordinary run the same few cases each time, in a long one as many as a time allows, others each
// time, of which a failure prints the seed.

import assert from "node:assert/strict";
import type { Parameters } from "fast-check";

const isLong = process.env["ASSAY_TEST_LONG"] === "1";
/** Of one property, in milliseconds. */
const LONG_MS = 20_000;

/** @param runs of an ordinary run */
export function fuzzing<T>(runs: number): Parameters<T> {
  return isLong
    ? { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: LONG_MS }
    : { numRuns: runs, seed: 2_026 };
}

/** A parser may refuse in its own words, and nothing else. @returns what it read */
export function readOrRefused<T>(
  read: () => T,
  refusal: new (...args: never[]) => Error,
): T | undefined {
  try {
    return read();
  } catch (err) {
    assert.ok(err instanceof refusal, String(err));
    return undefined;
  }
}
