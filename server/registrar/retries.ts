import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";

const BASE_MS = 1_000;
const MAX_MS = 60_000;
const TICK_MS = 500;

/** Groups that failed and are tried again, each at its own time, so that none waits for another. */
export class Retries {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #failing = new Map<string, { readonly backoff: Backoff; dueMs: number }>();

  constructor(deps: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
  }

  get size(): number {
    return this.#failing.size;
  }

  failed(group: string): void {
    const known = this.#failing.get(group);
    const backoff = known?.backoff ?? this.#newBackoff();
    // Half of the ceiling at least: what failed a moment ago fails again.
    const delayMs = BASE_MS / 2 + backoff.nextMs();
    this.#failing.set(group, { backoff, dueMs: this.#clock.monotonicMs() + delayMs });
  }

  succeeded(group: string): void {
    this.#failing.delete(group);
  }

  /** Hands each group to `again` when its time has come, until `signal` aborts. */
  async run(again: (group: string) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(TICK_MS, signal);
      const now = this.#clock.monotonicMs();
      for (const [group, entry] of this.#failing) {
        if (entry.dueMs > now) continue;
        entry.dueMs = Number.POSITIVE_INFINITY;
        again(group);
      }
    }
  }

  #newBackoff(): Backoff {
    return new Backoff({ baseMs: BASE_MS, maxMs: MAX_MS, random: this.#random });
  }
}
