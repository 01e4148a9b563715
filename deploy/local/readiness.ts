import type { Clock } from "../../runtime/time/clock.ts";
import type { Child } from "./child.ts";

/** What waiting for a process takes. */
export interface Waiting {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** 30 s unless given. */
  readonly timeoutMs?: number;
}

const pauseMs = 50;

/**
 * Asks until `probe` answers without an error, and returns its answer. Gives up at once when the process ends.
 *
 * @throws {Error} with the last lines that the process printed, when it ended or did not become ready in time
 */
export async function untilReady<T>(
  child: Child,
  probe: () => Promise<T>,
  { clock, signal, timeoutMs = 30_000 }: Waiting,
): Promise<T> {
  const deadline = clock.monotonicMs() + timeoutMs;
  let cause: unknown;
  while (child.running && !signal.aborted && clock.monotonicMs() < deadline) {
    try {
      return await probe();
    } catch (error) {
      cause = error;
    }
    await clock.sleep(pauseMs, signal);
  }
  signal.throwIfAborted();
  // What the probe met says nothing once the process has ended.
  const [why, options] = child.running
    ? [`was not ready within ${timeoutMs / 1000} s`, { cause }]
    : ["ended"];
  throw new Error(`the ${child.name} ${why}; ${await lastWords(child)}`, options);
}

/** The last lines of a process's log, and where the rest is. */
export async function lastWords(child: Child): Promise<string> {
  const lines = await child.lastLines(10);
  return `the end of ${child.logPath}:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
