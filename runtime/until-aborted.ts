/**
 * The result of `promise`, unless `signal` aborts first: then rejects with the signal's reason. Unlike Promise.race against a
 * long-lived promise it leaves nothing behind. The work behind `promise` goes on; its late failure is ignored.
 */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    const settle = (): void => signal.removeEventListener("abort", abort);
    promise.then(
      (value) => {
        settle();
        resolve(value);
      },
      (err: unknown) => {
        settle();
        reject(err);
      },
    );
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
}
