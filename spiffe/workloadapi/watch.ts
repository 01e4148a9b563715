import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { SpiffeError } from "../error.ts";

/** What is done with one stream of the Workload API. */
export interface Watch<M, T> {
  /** Opens the stream. */
  readonly open: (signal: AbortSignal) => AsyncIterable<M>;
  /** Reads a message; throws SpiffeError on one that is to be passed over. */
  readonly read: (message: M) => T;
  /** The full new state. Runs inside the loop: be quick. */
  readonly onUpdate: (state: T) => void;
  /** The workload is not entitled to anything (any more): stop using what came before (Workload API 5.2.1). */
  readonly onWithdrawn: (cause: StatusError) => void;
  /** Something went wrong that will be tried again. */
  readonly onProblem: (err: Error) => void;
}

export interface WatchDeps {
  readonly clock: Clock;
  readonly random: Random;
}

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 30_000;

/**
 * Keeps a stream open until `signal` aborts (Workload API 4.2, Appendix A). A lost stream that had delivered is opened again
 * at once, everything else after a growing pause with full jitter: the workloads of a node must not come back in step. A
 * message that cannot be read is passed over and the older state stays.
 *
 * @throws {StatusError} INVALID_ARGUMENT and UNIMPLEMENTED, which asking again would not change (Workload Endpoint 6)
 */
export async function watch<M, T>(
  { open, read, onUpdate, onWithdrawn, onProblem }: Watch<M, T>,
  { clock, random }: WatchDeps,
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff({ baseMs: FIRST_BACKOFF_MS, maxMs: MAX_BACKOFF_MS, random });
  while (!signal.aborted) {
    let hasDelivered = false;
    try {
      for await (const message of open(signal)) {
        const state = readOrReport(message, read, onProblem);
        if (state === undefined) continue;
        hasDelivered = true;
        backoff.reset();
        onUpdate(state);
      }
    } catch (err) {
      if (signal.aborted) return;
      if (!(err instanceof StatusError) || isFatal(err)) throw err;
      onProblem(err);
      if (err.code === Status.PERMISSION_DENIED) {
        hasDelivered = false;
        onWithdrawn(err);
      }
    }
    if (!hasDelivered) await clock.sleep(backoff.nextMs(), signal);
  }
}

function readOrReport<M, T>(
  message: M,
  read: (message: M) => T,
  onProblem: (err: Error) => void,
): T | undefined {
  try {
    return read(message);
  } catch (err) {
    if (!(err instanceof SpiffeError)) throw err;
    onProblem(err);
    return undefined;
  }
}

function isFatal(err: StatusError): boolean {
  return err.code === Status.INVALID_ARGUMENT || err.code === Status.UNIMPLEMENTED;
}
