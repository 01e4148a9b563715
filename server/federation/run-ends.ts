import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { Store } from "../store/store.ts";
import type { Relationships } from "./relationships.ts";

export interface FederationEndsDeps {
  readonly relationships: Relationships;
  readonly store: Pick<Store, "write">;
  readonly audit: Pick<AuditLog, "event">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How late a jump of the wall clock may be noticed. */
const LONGEST_SLEEP_MS = 60_000;
const RETRY_MS = 5_000;

/**
 * Ends each relationship at its time: one revision, which takes its bundle away from every agent, and a record. Resolves once `signal`
 * aborts.
 */
export async function runFederationEnds(
  deps: FederationEndsDeps,
  signal: AbortSignal,
): Promise<void> {
  const { relationships, clock, log } = deps;
  while (!signal.aborted) {
    const changed = new AbortController();
    const either = AbortSignal.any([signal, changed.signal]);
    const seen = relationships.changes.value;
    let ms = nextEndMs(relationships, clock.now());
    if (ms <= 0) {
      try {
        await endNow(deps);
        continue;
      } catch (err) {
        log.error(
          { reason: describeError(err) },
          "Federation that is over was not ended in the store",
        );
        ms = RETRY_MS;
      }
    }
    const watching = (async () => {
      for await (const value of relationships.changes.subscribe(either)) {
        if (value !== seen) changed.abort();
      }
    })();
    await clock.sleep(Math.min(ms, LONGEST_SLEEP_MS), either);
    changed.abort();
    await watching;
  }
}

async function endNow({ store, audit, clock, log }: FederationEndsDeps): Promise<void> {
  const now = Math.floor(clock.now().getTime() / 1000);
  const { output } = await store.write("endRelationships", { now });
  for (const { trustDomain, limits } of output) {
    audit.event({
      action: "federation.end",
      resource: trustDomain,
      source: "internal",
      purpose: limits.purpose || null,
      actors: [{ kind: "system", id: "federation", podUid: null, node: null }],
    });
    log.info({ trust_domain: trustDomain, owner: limits.owner }, "Federation has ended");
  }
}

function nextEndMs(relationships: Relationships, now: Date): number {
  const ends = relationships.listed.flatMap(({ record, limits }) =>
    record.endedAt !== 0 || limits.endsAt === undefined
      ? []
      : [limits.endsAt.getTime() - now.getTime()],
  );
  return Math.min(LONGEST_SLEEP_MS, ...ends);
}
