import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { WorkloadCache } from "../cache/workload-cache.ts";
import type { ServingState } from "../cache/workload-view.ts";
import type { IdentityHolder } from "../identity/identity-holder.ts";
import type { Contact } from "./contact.ts";
import type { SyncedView } from "./synced-view.ts";

export interface ServingDeps {
  readonly cache: WorkloadCache;
  readonly view: SyncedView;
  readonly identity: IdentityHolder;
  readonly contact: Contact;
  /** The longest time without word from a server in which workloads are served. */
  readonly maxOfflineMs: number;
  readonly persist: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How late the end of the offline time may be noticed. */
const CHECK_MS = 10_000;

/**
 * Whether workloads may be served now.
 *
 * @param o.hasView whether a server has told, in this run or an earlier one, what this node may have
 */
export function servingState(o: {
  readonly isBanned: boolean;
  readonly hasView: boolean;
  readonly offlineMs: number;
  readonly maxOfflineMs: number;
}): ServingState {
  if (o.isBanned) return "banned";
  if (!o.hasView) return "starting";
  return o.offlineMs > o.maxOfflineMs ? "offline_too_long" : "ready";
}

/**
 * Ends serving when the server bans this agent or has been away for too long, and begins again when it may. Resolves once
 * `signal` aborts.
 */
export async function runServing(deps: ServingDeps, signal: AbortSignal): Promise<void> {
  const watch = async (changes: AsyncIterable<unknown>): Promise<void> => {
    for await (const _ of changes) updateServing(deps);
  };
  const tick = async (): Promise<void> => {
    while (!signal.aborted) {
      await deps.clock.sleep(CHECK_MS, signal);
      updateServing(deps);
    }
  };
  await Promise.all([
    watch(deps.identity.standing.subscribe(signal)),
    watch(deps.contact.times.subscribe(signal)),
    tick(),
  ]);
}

/** Decides anew, now. A ban takes everything with it: entries, SVIDs and keys, in memory and in the state file. */
export function updateServing(deps: ServingDeps): void {
  const { cache, view, contact, log } = deps;
  const before = cache.status.value.serving;
  const serving = servingState({
    isBanned: deps.identity.standing.value.verdict === "banned",
    hasView: view.isKnown,
    offlineMs: contact.ageMs,
    maxOfflineMs: deps.maxOfflineMs,
  });
  if (contact.at !== cache.status.value.lastContactAt) {
    cache.setStatus(contact.at === undefined ? {} : { lastContactAt: contact.at });
  }
  if (serving === before) return;
  cache.setStatus({ serving });
  if (serving === "offline_too_long") {
    log.error(
      { last_contact_at: contact.at?.toISOString() },
      "Without a server for too long, serving ends",
    );
  } else if (serving === "ready") {
    log.info({ entries: cache.entryCount }, "Serving workloads");
  } else if (serving === "banned") {
    cache.removeAllEntries();
    view.reset();
    deps.persist().catch((err: unknown) => {
      log.error({ err }, "Ban was not made durable, a restart may serve until it hears of it");
    });
  }
}
