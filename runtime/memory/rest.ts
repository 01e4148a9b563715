import { performance } from "node:perf_hooks";
import type { Clock } from "../time/clock.ts";

/** How often a process looks whether it rests. */
const LOOK_MS = 5_000;

/** A process whose event loop is busy for a larger share of the time has better things to do. */
const IDLE_SHARE = 0.05;

/** Less is not worth the pause. */
const GROWN_BYTES = 6 * 1024 * 1024;

/** At least this many looks lie between two pauses. */
const LOOKS_APART = 6;

/** What {@link restWhileIdle} sees and does. */
export interface RestDeps {
  readonly clock: Clock;
  /** Share of the time since the last question in which the event loop was busy, from 0 to 1. */
  readonly busyShare: () => number;
  /** Resident memory in bytes. */
  readonly residentBytes: () => number;
  readonly giveBack: () => void;
}

/** Gives memory back whenever there is nothing else to do and more has come than is worth the pause. Resolves once `signal` aborts. */
export async function restWhileIdle(o: RestDeps, signal: AbortSignal): Promise<void> {
  let restedBytes = 0;
  let looks = LOOKS_APART;
  for (;;) {
    await o.clock.sleep(LOOK_MS, signal);
    if (signal.aborted) return;
    const isIdle = o.busyShare() <= IDLE_SHARE;
    const bytes = o.residentBytes();
    looks += 1;
    // What is needed all the time has come back by the first look after the pause.
    if (looks === 1) restedBytes = bytes;
    if (!isIdle || looks < LOOKS_APART || bytes < restedBytes + GROWN_BYTES) continue;
    o.giveBack();
    looks = 0;
  }
}

/** A measure for {@link RestDeps.busyShare}. */
export function eventLoopShare(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}
