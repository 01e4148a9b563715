/** Longest delay that setTimeout accepts; longer sleeps are cut into pieces of this length. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Time as an argument, so that code which waits or judges validity can be tested without waiting. */
export interface Clock {
  /** The wall clock. It may jump in either direction; use it to judge validity, never to measure. */
  now(): Date;
  /** Milliseconds since an arbitrary instant; never goes back and does not follow the wall clock. */
  monotonicMs(): number;
  /** Resolves after `ms`, or as soon as `signal` aborts. Never rejects; look at `signal.aborted` afterwards. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep,
};

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    let remainingMs = Math.max(0, ms);
    let timer: NodeJS.Timeout;
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const wait = (): void => {
      const pieceMs = Math.min(remainingMs, MAX_TIMER_MS);
      remainingMs -= pieceMs;
      timer = setTimeout(remainingMs > 0 ? wait : finish, pieceMs);
    };
    signal.addEventListener("abort", finish);
    wait();
  });
}
