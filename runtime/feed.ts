/** The reading half of a {@link Feed}. */
export interface ReadFeed<T> {
  /** The latest value. */
  readonly value: T;
  /**
   * The current value, then each later one. A reader that is slower than the writer sees only the newest value, never a
   * backlog, so a feed costs the same however slow its readers are. Ends when `signal` aborts, or on `return()`.
   */
  subscribe(signal: AbortSignal): AsyncIterable<T>;
}

/**
 * A value that changes, and those who want to know. This is how state travels against the order of the folders: the earlier
 * folder offers a feed, the later one reads it. Values are to be immutable; `set` wakes readers even if the value is the same.
 */
export class Feed<T> implements ReadFeed<T> {
  #value: T;
  #version = 0;
  #waiting = new Set<() => void>();

  constructor(initial: T) {
    this.#value = initial;
  }

  get value(): T {
    return this.#value;
  }

  /** Replaces the value and wakes every waiting reader. Readers run later, never inside this call. */
  set(value: T): void {
    this.#value = value;
    this.#version += 1;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }

  subscribe(signal: AbortSignal): AsyncIterable<T> {
    return { [Symbol.asyncIterator]: () => this.#read(signal) };
  }

  // Written out instead of an async generator because `return()` of a generator waits behind a pending `next()`,
  // that is until the next change, which may never come.
  #read(signal: AbortSignal): AsyncIterator<T> {
    const done: IteratorResult<T> = { done: true, value: undefined };
    let seen = -1;
    let ended = false;
    let wakeOwn: (() => void) | undefined;
    return {
      next: async () => {
        while (seen === this.#version && !ended && !signal.aborted) {
          await new Promise<void>((resolve) => {
            const wake = (): void => {
              signal.removeEventListener("abort", wake);
              this.#waiting.delete(wake);
              resolve();
            };
            wakeOwn = wake;
            this.#waiting.add(wake);
            signal.addEventListener("abort", wake);
          });
        }
        if (ended || signal.aborted) return done;
        seen = this.#version;
        return { done: false, value: this.#value };
      },
      return: async () => {
        ended = true;
        wakeOwn?.();
        return done;
      },
    };
  }
}
