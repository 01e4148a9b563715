import type { Clock } from "../../runtime/time/clock.ts";
import type { WorkloadCache } from "../cache/workload-cache.ts";
import type { Contact } from "./contact.ts";

export interface HousekeepingDeps {
  readonly cache: WorkloadCache;
  readonly contact: Contact;
  /** The state has changed and may be written soon. */
  readonly changed: () => void;
  readonly clock: Clock;
}

/** How late what has expired may go. */
const SWEEP_MS = 1_000;
/** How old the last contact in the state file may be. */
const CONTACT_MS = 60_000;

/**
 * What has to be done for no other reason than that time has passed: entries and SVIDs whose time is up go, also with the
 * server away, and the state file learns of the last contact. Resolves once `signal` aborts.
 */
export async function runHousekeeping(deps: HousekeepingDeps, signal: AbortSignal): Promise<void> {
  const { cache, contact, clock } = deps;
  let written = contact.at;
  let writtenMs = clock.monotonicMs();
  while (!signal.aborted) {
    await clock.sleep(SWEEP_MS, signal);
    // Both, also without a server: a key must not outlive its SVID, in memory or in the state file.
    if (cache.removeExpiredEntries() + cache.svids.forgetExpired() > 0) deps.changed();
    if (contact.at !== written && clock.monotonicMs() - writtenMs >= CONTACT_MS) {
      written = contact.at;
      writtenMs = clock.monotonicMs();
      deps.changed();
    }
  }
}

/** Lets everything that failed for want of a server go at once when there is one again. Resolves once `signal` aborts. */
export async function retryOnReconnect(cache: WorkloadCache, signal: AbortSignal): Promise<void> {
  let wasConnected = false;
  for await (const { connected } of cache.status.subscribe(signal)) {
    if (connected && !wasConnected) cache.svids.retryNow();
    wasConnected = connected;
  }
}
