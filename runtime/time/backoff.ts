import type { Random } from "../random.ts";

/**
 * Delays between attempts: exponential with full jitter. Each delay is drawn evenly from [0, ceiling), and the ceiling doubles
 * from `baseMs` up to `maxMs`. Full jitter, because callers that lost the same server would otherwise come back in step.
 */
export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #random: Random;
  #ceilingMs: number;

  /** @throws {RangeError} unless 0 < baseMs <= maxMs */
  constructor(options: { baseMs: number; maxMs: number; random: Random }) {
    if (!(options.baseMs > 0 && options.baseMs <= options.maxMs)) {
      throw new RangeError("backoff: 0 < baseMs <= maxMs is required");
    }
    this.#baseMs = options.baseMs;
    this.#maxMs = options.maxMs;
    this.#random = options.random;
    this.#ceilingMs = options.baseMs;
  }

  /** The delay before the next attempt in milliseconds; raises the ceiling for the one after it. */
  nextMs(): number {
    const delayMs = this.#random.uniform() * this.#ceilingMs;
    this.#ceilingMs = Math.min(this.#ceilingMs * 2, this.#maxMs);
    return delayMs;
  }

  /** Starts over; call it after a success. */
  reset(): void {
    this.#ceilingMs = this.#baseMs;
  }
}
