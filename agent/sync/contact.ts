import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Clock } from "../../runtime/time/clock.ts";

/**
 * When a server last confirmed what this agent serves. The age is measured by the monotonic clock, so that a wall clock that is
 * set back does not prolong it; only what passed while the agent was not running is taken from the wall clock.
 */
export class Contact {
  readonly #clock: Clock;
  readonly #times = new Feed(0);
  #at: Date | undefined;
  #atMs: number;

  /** @param last from the state file */
  constructor(clock: Clock, last: Date | undefined) {
    this.#clock = clock;
    this.#at = last;
    const awayMs = last === undefined ? 0 : Math.max(0, clock.now().getTime() - last.getTime());
    this.#atMs = clock.monotonicMs() - awayMs;
  }

  /** Changes with each contact. */
  get times(): ReadFeed<number> {
    return this.#times;
  }

  get at(): Date | undefined {
    return this.#at;
  }

  /** Milliseconds since the last contact; since the start if there was none. */
  get ageMs(): number {
    return this.#clock.monotonicMs() - this.#atMs;
  }

  /** A server has spoken. */
  made(): void {
    this.#at = this.#clock.now();
    this.#atMs = this.#clock.monotonicMs();
    this.#times.set(this.#times.value + 1);
  }
}
