import type { Clock } from "../../runtime/time/clock.ts";

/** What happens again within this time is counted, not recorded. */
const WINDOW_MS = 60_000;
const MAX_KEYS = 4_096;

/**
 * Thins out what repeats, refusals and deliveries of one credential to one caller: it is recorded once a minute, with the number
 * of those that were not. So a process that asks in a loop cannot fill the log, and its asking is still on record.
 */
export class RepeatFilter {
  readonly #clock: Clock;
  /** In the order of their windows' beginnings. */
  readonly #windows = new Map<string, { beganMs: number; suppressed: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many were left out before this one if it is to be recorded; undefined if it is left out itself. */
  admit(key: string): number | undefined {
    const nowMs = this.#clock.monotonicMs();
    const window = this.#windows.get(key);
    if (window !== undefined && nowMs - window.beganMs < WINDOW_MS) {
      window.suppressed += 1;
      return undefined;
    }
    this.#windows.delete(key);
    this.#windows.set(key, { beganMs: nowMs, suppressed: 0 });
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > MAX_KEYS && oldest !== undefined) this.#windows.delete(oldest);
    return window?.suppressed ?? 0;
  }
}
