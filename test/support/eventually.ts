import { setTimeout as wait } from "node:timers/promises";

/**
 * Asks until the answer is not undefined and returns it: for conditions in another process or in the kernel, which cannot
 * be awaited. Everything in our own process is awaited directly, or moved by a fake clock.
 *
 * @param what what is waited for, as the end of "timed out waiting for ..."
 * @param probe may throw while the answer is not there; the last error is the cause of the time-out
 * @throws {Error} after `timeoutMs`, 30 s by default: a condition that comes is not slower for it, and machines can be busy
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  options: { readonly timeoutMs?: number; readonly intervalMs?: number } = {},
): Promise<T> {
  const { timeoutMs = 30_000, intervalMs = 20 } = options;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  do {
    try {
      const answer = await probe();
      if (answer !== undefined) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await wait(intervalMs);
  } while (performance.now() < deadline);
  throw new Error(`timed out waiting for ${what}`, { cause });
}
