import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Store } from "../store/store.ts";

const INTERVAL_MS = 600_000;
const STEP = 500;

/** What purging needs. */
export interface PurgeAgentsDeps {
  readonly store: Pick<Store, "write">;
  /** How long after the end of its SVID an agent is forgotten, in milliseconds. */
  readonly expiredForMs: () => number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Forgets agents that have been away for long, banned ones excepted. Resolves once `signal` aborts. */
export async function runAgentPurge(deps: PurgeAgentsDeps, signal: AbortSignal): Promise<void> {
  const { clock, log } = deps;
  while (!signal.aborted) {
    try {
      const count = await purge(deps, signal);
      if (count > 0) log.info({ count }, "Forgot agents that stayed away");
    } catch (err) {
      log.warn({ reason: describeError(err) }, "Could not forget agents that stay away");
    }
    await clock.sleep(INTERVAL_MS, signal);
  }
}

async function purge({ store, clock, expiredForMs }: PurgeAgentsDeps, signal: AbortSignal) {
  const expiredBefore = Math.floor((clock.now().getTime() - expiredForMs()) / 1000);
  const request = { expiredBefore, includeNonReattestable: true, limit: STEP };
  let count = 0;
  for (;;) {
    const { output } = await store.write("purgeNodes", request);
    count += output.length;
    if (signal.aborted || output.length < STEP) return count;
  }
}
