import type { Clock } from "../time/clock.ts";

/**
 * Things that must happen within a time: connections must make a call, requests must arrive, readers must read. Looked
 * through once in a while instead of a timer for each, because each call is on such a list for a moment.
 */
export class Overdue<K> {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #end: (key: K) => void;
  // In order of time, because a Map keeps the order of insertion.
  readonly #sinceMs = new Map<K, number>();

  /** @param end called once for each key that was expected and did not arrive in time */
  constructor(clock: Clock, limitMs: number, end: (key: K) => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#end = end;
  }

  /** Starts the time of `key`. */
  expect(key: K): void {
    this.#sinceMs.set(key, this.#clock.monotonicMs());
  }

  /** Takes `key` off the list; it has happened or does not matter any more. */
  arrived(key: K): void {
    this.#sinceMs.delete(key);
  }

  /** Ends those whose time is up. */
  sweep(): void {
    const before = this.#clock.monotonicMs() - this.#limitMs;
    for (const [key, sinceMs] of this.#sinceMs) {
      if (sinceMs > before) return;
      this.#sinceMs.delete(key);
      this.#end(key);
    }
  }
}
