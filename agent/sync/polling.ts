import { create } from "@bufbuild/protobuf";
import { AuthorizedEntrySchema } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle as BundleService } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { Entry as EntryService } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import type { Bundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import type { Random } from "../../runtime/random.ts";
import { slicesOf } from "../../runtime/slices.ts";
import type { CachedEntry } from "../cache/entry.ts";
import type { Link } from "../connection/link.ts";
import { fetchAuthorizedEntries } from "./authorized-entries.ts";
import { DEFAULT_ISSUANCE_LIMITS } from "./issuance-limits.ts";
import type { SyncSessionDeps } from "./sync-session.ts";

/** How often stock agents ask, and by how much that varies. */
const POLL_MS = 5_000;
const POLL_JITTER = 0.1;
const CALL_TIMEOUT_MS = 30_000;
/** Calls for federated bundles at the same time. */
const PARALLEL_BUNDLES = 10;

/** What polling needs beyond a synchronisation stream. */
export interface PollingDeps
  extends Pick<
    SyncSessionDeps,
    | "view"
    | "cache"
    | "limits"
    | "persist"
    | "changed"
    | "contact"
    | "agentVersion"
    | "clock"
    | "log"
  > {
  readonly random: Random;
}

/**
 * Follows a server that has only the public API, by asking it every five seconds. Resolves when `signal` aborts.
 *
 * @throws {StatusError} as soon as one round fails
 */
export async function runPolling(
  deps: PollingDeps,
  link: Link,
  signal: AbortSignal,
): Promise<void> {
  const { cache, clock, random } = deps;
  deps.limits.set(DEFAULT_ISSUANCE_LIMITS);
  await postStatus(deps, link, signal);
  try {
    while (!signal.aborted) {
      await pollOnce(deps, link, signal);
      link.isLive = true;
      cache.setStatus({ connected: true });
      deps.contact();
      const shift = 1 + POLL_JITTER * (2 * random.uniform() - 1);
      await clock.sleep(POLL_MS * shift, signal);
    }
  } catch (err) {
    if (!signal.aborted) throw err;
  } finally {
    link.isLive = false;
    cache.setStatus({ connected: false });
  }
}

async function pollOnce(deps: PollingDeps, link: Link, signal: AbortSignal): Promise<void> {
  const { cache, view } = deps;
  const { ids, changed } = await link.use(EntryService, (client) =>
    fetchAuthorizedEntries(client, (id) => cache.entry(id), signal),
  );
  const entries = view.readEntries(
    changed.map((entry) => create(AuthorizedEntrySchema, { entry })),
  );
  const removedEntryIds = [...cache.entries()].map(({ id }) => id).filter((id) => !ids.has(id));
  const federated = federatedNames(entries, cache.entries(), new Set(removedEntryIds));
  const bundles = await fetchBundles(link, [...federated], signal);
  const held = new Set(bundles.map(({ trustDomain }) => trustDomain));
  const { hasRemovals } = view.apply({
    point: { ...view.point, cursor: undefined },
    entries,
    removedEntryIds,
    bundles,
    // Such a server has no limits to tell.
    federationLimits: new Map(),
    removedBundles: [...cache.bundles.values()]
      .map(({ trustDomain }) => trustDomain)
      .filter((name) => !held.has(name)),
    revocations: [],
  });
  if (hasRemovals) await deps.persist();
  else if (entries.length > 0) deps.changed();
}

function federatedNames(
  changed: readonly CachedEntry[],
  held: Iterable<CachedEntry>,
  removed: ReadonlySet<string>,
): ReadonlySet<string> {
  const byId = new Map([...held].map((entry) => [entry.id, entry]));
  for (const entry of changed) byId.set(entry.id, entry);
  for (const id of removed) byId.delete(id);
  return new Set([...byId.values()].flatMap(({ federatesWith }) => federatesWith));
}

/** The own bundle first, then those of the named trust domains that the server has. */
async function fetchBundles(
  link: Link,
  trustDomains: readonly string[],
  signal: AbortSignal,
): Promise<readonly Bundle[]> {
  const options = { signal, timeoutMs: CALL_TIMEOUT_MS };
  return link.use(BundleService, async (client) => {
    const bundles = [await client.getBundle({}, options)];
    for (const names of slicesOf(trustDomains, PARALLEL_BUNDLES)) {
      const fetched = await Promise.all(
        names.map((trustDomain) => orNotFound(client.getFederatedBundle({ trustDomain }, options))),
      );
      bundles.push(...fetched.filter((bundle) => bundle !== undefined));
    }
    return bundles;
  });
}

async function orNotFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (err) {
    if (err instanceof StatusError && err.code === Status.NOT_FOUND) return undefined;
    throw err;
  }
}

// For the operator's list of agents only; a server that does not want it is no worse for it.
async function postStatus(deps: PollingDeps, link: Link, signal: AbortSignal): Promise<void> {
  const options = { signal, timeoutMs: CALL_TIMEOUT_MS };
  try {
    const { agentVersion } = deps;
    await link.use(Agent, (client) => client.postStatus({ agentVersion }, options));
  } catch (err) {
    deps.log.debug({ err }, "Agent status was not taken");
  }
}
