import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { WorkloadCache } from "../cache/workload-cache.ts";
import { untilChanged } from "../connection/until-changed.ts";

/** How late a jump of the wall clock may be noticed. */
const LONGEST_SLEEP_MS = 60_000;

/**
 * Takes foreign bundles away from workloads at the moment at which their relationship ends, also with the server away. Resolves
 * once `signal` aborts.
 */
export async function runFederationEnds(
  deps: {
    readonly cache: WorkloadCache;
    /** The state has changed and may be written soon. */
    readonly changed: () => void;
    readonly clock: Clock;
    readonly log: Logger;
  },
  signal: AbortSignal,
): Promise<void> {
  const { cache, clock, log } = deps;
  while (!signal.aborted) {
    const ended = cache.removeEndedBundles();
    for (const name of ended) log.info({ trust_domain: name }, "Federation has ended");
    if (ended.length > 0) deps.changed();
    const seen = cache.nextFederationEnd.value;
    const leftMs = seen === undefined ? Infinity : seen.getTime() - clock.now().getTime();
    const ms = Math.min(leftMs, LONGEST_SLEEP_MS);
    await untilChanged(cache.nextFederationEnd, { seen, ms, clock, signal });
  }
}
