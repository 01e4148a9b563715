import { randomBytes, randomInt } from "node:crypto";

/** Chance as an argument, so that tests can give it a seed. */
export interface Random {
  /** `length` unpredictable bytes, fit for keys, serial numbers and identifiers. */
  bytes(length: number): Uint8Array;
  /** A number drawn evenly from [0, 1), for jitter and sampling. */
  uniform(): number;
}

/** Largest range that randomInt draws from. */
const UNIFORM_STEPS = 2 ** 48 - 1;

/** How much is drawn at once for small demands: drawing costs ten times as much as handing out. */
const POOL_BYTES = 4096;
/** Serial numbers and names are no longer than this; what is may be a secret, and does not wait in memory. */
const MAX_POOLED_BYTES = 20;

let pool = new Uint8Array(0);
let used = 0;

/** No byte is given out twice, and none stays behind once it was given out. */
function bytes(length: number): Uint8Array {
  if (length > MAX_POOLED_BYTES) return new Uint8Array(randomBytes(length));
  if (used + length > pool.length) {
    pool = new Uint8Array(randomBytes(POOL_BYTES));
    used = 0;
  }
  const end = used + length;
  const drawn = pool.slice(used, end);
  pool.fill(0, used, end);
  used = end;
  return drawn;
}

/** The operating system's generator. */
export const systemRandom: Random = {
  bytes,
  uniform: () => randomInt(UNIFORM_STEPS) / UNIFORM_STEPS,
};
