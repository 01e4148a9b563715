import { flushCompileCache } from "node:module";
import { eventLoopShare, restWhileIdle } from "../memory/rest.ts";
import type { Clock } from "../time/clock.ts";

/** By then a process that was started in a hurry has answered those who waited for it. */
const HURRY_MS = 2_000;

/**
 * For processes that run on every node of a cluster, when the start is over. Where NODE_COMPILE_CACHE names a folder, what is compiled
 * by then is left there for the next process: one that is killed writes nothing at its end.
 *
 * From then on it gives back what it does not need while it has nothing to do. Resolves once `signal` aborts.
 */
export async function settleDown(clock: Clock, signal: AbortSignal): Promise<void> {
  await clock.sleep(HURRY_MS, signal);
  if (signal.aborted) return;
  flushCompileCache();
  const { giveBack } = await import("../memory/give-back.ts");
  const residentBytes = process.memoryUsage.rss;
  await restWhileIdle({ clock, busyShare: eventLoopShare(), residentBytes, giveBack }, signal);
}
