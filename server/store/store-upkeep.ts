import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Store } from "./store.ts";

export interface StoreUpkeepDeps {
  readonly store: Pick<Store, "write">;
  readonly clock: Clock;
  readonly log: Logger;
}

const INTERVAL_MS = 60_000;
/** Changes and tokens that go in one transaction: few, so that callers hardly wait behind it. */
const STEP = 1000;
const LOG_SECONDS = 24 * 60 * 60;
const LOG_CHANGES = 1_000_000;

/**
 * Keeps the store small: the change log holds 24 hours or a million changes, whichever is less, and expired join tokens go. Works
 * in small steps, once a minute. Resolves once `signal` aborts.
 */
export async function runStoreUpkeep(deps: StoreUpkeepDeps, signal: AbortSignal): Promise<void> {
  const { clock, log } = deps;
  while (!signal.aborted) {
    try {
      await pruneAll(deps, signal);
    } catch (err) {
      log.warn({ err }, "Pruning the store failed");
    }
    await clock.sleep(INTERVAL_MS, signal);
  }
}

async function pruneAll({ store, clock }: StoreUpkeepDeps, signal: AbortSignal): Promise<void> {
  const now = Math.floor(clock.now().getTime() / 1000);
  const log = { before: now - LOG_SECONDS, maxChanges: LOG_CHANGES, limit: STEP };
  while (!signal.aborted && (await store.write("pruneChangeLog", log)).output > 0);
  const tokens = { now, limit: STEP };
  while (!signal.aborted && (await store.write("pruneJoinTokens", tokens)).output > 0);
}
