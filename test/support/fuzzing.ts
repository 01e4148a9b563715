// How hard properties are tried: in an ordinary run the same few cases each time, in a long one as many as a time allows, others each
// time, of which a failure prints the seed.

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
