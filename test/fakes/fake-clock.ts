import type { Clock } from "../../runtime/time/clock.ts";

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/**
 * A clock that stands still until a test moves it. Wall and monotonic time move together with {@link FakeClock.advance};
 * {@link FakeClock.jump} moves the wall clock alone, as a correction of the machine's clock would.
 */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #sleepers: Sleeper[] = [];
  #watchers: { readonly count: number; readonly seen: () => void }[] = [];

  constructor(start: Date | string = "2026-03-01T12:00:00Z") {
    this.#wallMs = new Date(start).getTime();
  }

  now(): Date {
    return new Date(this.#wallMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener("abort", wake);
        this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.wake !== wake);
        resolve();
      };
      signal.addEventListener("abort", wake);
      this.#sleepers.push({ dueMs: this.#monotonicMs + Math.max(0, ms), wake });
      this.#tellWatchers();
    });
  }

  /** How many sleeps are under way. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Resolves as soon as `count` sleeps are under way: everybody concerned has come to rest. */
  whenSleeping(count = 1): Promise<void> {
    return new Promise((seen) => {
      this.#watchers.push({ count, seen });
      this.#tellWatchers();
    });
  }

  /** Lets time pass, waking sleepers in the order in which they are due, each at its own instant. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    for (;;) {
      const next = this.#sleepers.toSorted((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined || next.dueMs > endMs) break;
      this.#moveTo(Math.max(next.dueMs, this.#monotonicMs));
      next.wake();
      await settle();
    }
    this.#moveTo(endMs);
    await settle();
  }

  /** Corrects the wall clock by `ms`, forward or back. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }

  #tellWatchers(): void {
    const ready = this.#watchers.filter(({ count }) => this.#sleepers.length >= count);
    this.#watchers = this.#watchers.filter((watcher) => !ready.includes(watcher));
    for (const { seen } of ready) seen();
  }
}

/** Lets whatever has been resolved run on: promise callbacks, and one turn of the event loop. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
