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

/** The operating system's generator. */
export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  uniform: () => randomInt(UNIFORM_STEPS) / UNIFORM_STEPS,
};
