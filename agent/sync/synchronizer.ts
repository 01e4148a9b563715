import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Link } from "../connection/link.ts";
import { isUnreachable, type ServerConnection } from "../connection/server-connection.ts";
import { untilChanged } from "../connection/until-changed.ts";
import type { IdentityHolder } from "../identity/identity-holder.ts";
import { runPolling } from "./polling.ts";
import { runSyncSession, type SyncSessionDeps } from "./sync-session.ts";

export interface SynchronizerDeps extends SyncSessionDeps {
  readonly connection: ServerConnection;
  readonly identity: IdentityHolder;
  readonly random: Random;
}

const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 10_000;
/** A stream that lasted this long worked; what ends it is a new fault, not the old one. */
const WORKED_MS = 10_000;
const REFUSED_RETRY_MS = 60_000;
const NO_LINK_MS = 3_600_000;

/**
 * Keeps the cache in step with a server for as long as the agent runs: by push, or by polling a server that has none. After a
 * failure it comes back with full jitter, at another server if there is one. Resolves once `signal` aborts.
 */
export async function runSynchronizer(deps: SynchronizerDeps, signal: AbortSignal): Promise<void> {
  const { connection, clock, log } = deps;
  const pauses = new Pauses(deps.random);
  while (!signal.aborted) {
    const link = connection.current.value;
    if (link === undefined) {
      await untilChanged(connection.current, { seen: link, ms: NO_LINK_MS, clock, signal });
      continue;
    }
    const startedMs = clock.monotonicMs();
    try {
      await synchronizeOver(deps, link, signal);
      pauses.ended(true, clock.monotonicMs() - startedMs);
    } catch (err) {
      if (signal.aborted) return;
      pauses.ended(link.wasLive, clock.monotonicMs() - startedMs);
      const verdict = deps.identity.report(err);
      if (isUnreachable(err)) connection.failed(link);
      // Until attestation has changed our standing, asking again would only be refused again.
      const ms = verdict === undefined ? pauses.next(link.wasLive) : REFUSED_RETRY_MS;
      log.warn(
        { err, server: link.server, verdict, retry_in_ms: Math.round(ms) },
        "Synchronisation interrupted",
      );
      const { standing } = deps.identity;
      await untilChanged(standing, { seen: standing.value, ms, clock, signal });
    }
  }
}

/**
 * How long to wait after a failure. A server that was reached and lost is asked again soon, since it may have a word for us,
 * such as a ban; one that drops us again and again, or that cannot be reached, less and less often.
 */
class Pauses {
  readonly #unreached: Backoff;
  readonly #lost: Backoff;

  constructor(random: Random) {
    const range = { baseMs: FIRST_RETRY_MS, maxMs: MAX_RETRY_MS, random };
    this.#unreached = new Backoff(range);
    this.#lost = new Backoff(range);
  }

  ended(wasLive: boolean, lastedMs: number): void {
    if (wasLive) this.#unreached.reset();
    if (wasLive && lastedMs >= WORKED_MS) this.#lost.reset();
  }

  next(wasLive: boolean): number {
    return (wasLive ? this.#lost : this.#unreached).nextMs();
  }
}

/** Follows one link until it is replaced, which is not a failure. */
async function synchronizeOver(
  deps: SynchronizerDeps,
  link: Link,
  signal: AbortSignal,
): Promise<void> {
  const replaced = new AbortController();
  const either = AbortSignal.any([signal, replaced.signal]);
  const watching = (async () => {
    for await (const current of deps.connection.current.subscribe(either)) {
      if (current !== link) break;
    }
    replaced.abort();
  })();
  try {
    await runSyncSession(deps, link, either);
  } catch (err) {
    if (!(err instanceof StatusError) || err.code !== Status.UNIMPLEMENTED) throw err;
    deps.log.info({ server: link.server }, "Server has no push, polling it instead");
    await runPolling(deps, link, either);
  } finally {
    replaced.abort();
    await watching;
  }
}
