/**
 * Keeps one hostile process from starving the node. A caller is known by uid and cgroup path, so
 * that forking does not help it and one container does not pay for another (decision D3).
 */
export interface CallerLimitSettings {
  /** Connections that one caller may hold open. */
  readonly connectionsPerCaller: number;
  /** Streams that one caller may hold open, over all its connections. */
  readonly streamsPerCaller: number;
  /** Calls with one answer that one caller may have under way. */
  readonly callsPerCaller: number;
}

/** Counts what each caller holds. Forgets callers that hold nothing. */
export class CallerLimits {
  readonly #settings: CallerLimitSettings;
  readonly #connections = new Counter();
  readonly #streams = new Counter();
  readonly #calls = new Counter();

  constructor(settings: CallerLimitSettings) {
    this.#settings = settings;
  }

  /** @returns a handle to dispose when the connection ends, or undefined when the caller has enough */
  connect(key: string): Disposable | undefined {
    return this.#connections.take(key, this.#settings.connectionsPerCaller);
  }

  /** @returns a handle to dispose when the stream ends, or undefined when the caller has enough */
  stream(key: string): Disposable | undefined {
    return this.#streams.take(key, this.#settings.streamsPerCaller);
  }

  /** @returns a handle to dispose when the call ends, or undefined when the caller has enough */
  call(key: string): Disposable | undefined {
    return this.#calls.take(key, this.#settings.callsPerCaller);
  }
}

/**
 * The key of a caller: uid and cgroup path. The cgroups below a user's systemd are one caller: the user makes as many of them as
 * it likes.
 */
export function limitKey(uid: number, cgroupPath: string): string {
  return `${uid} ${cgroupPath.replace(/(\/user@\d+\.service)\/.*$/, "$1")}`;
}

class Counter {
  readonly #held = new Map<string, number>();

  take(key: string, limit: number): Disposable | undefined {
    const held = this.#held.get(key) ?? 0;
    if (held >= limit) return undefined;
    this.#held.set(key, held + 1);
    let released = false;
    return {
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        const left = (this.#held.get(key) ?? 1) - 1;
        if (left > 0) this.#held.set(key, left);
        else this.#held.delete(key);
      },
    };
  }
}
