import { encodeFederationLimits } from "../../proto/convert/federation-limits.ts";
import type {
  AgentState,
  StoredX509Svid as StoredSvidMessage,
} from "../../proto/gen/assay/agent/v1/state_pb.ts";
import type { Logger } from "../../runtime/log.ts";
import { slicesOf } from "../../runtime/slices.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import type { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import type { CachedBundle } from "../cache/bundle-cache.ts";
import type { CachedEntry } from "../cache/entry.ts";
import { readEntry, writeEntry } from "../cache/entry-wire.ts";
import type { HeldToken, WitSvid } from "../cache/token-cache.ts";
import type { WorkloadCache } from "../cache/workload-cache.ts";
import type { StoredX509Svid } from "../cache/x509-svid-cache.ts";
import { restoreRecord } from "../cache/x509-svid-record.ts";
import type { StateFields } from "../state/encode-state.ts";
import { restoreWit, storeWit } from "./persisted-wits.ts";
import { readLimits } from "./read-limits.ts";
import { issuanceEpoch, type SyncPoint } from "./sync-cursor.ts";

/** What is encoded in one turn of the event loop: about a millisecond's work. */
const ITEMS_IN_A_PART = 50;

/** The parts of the state file that hold what workloads are served from, as it is at the call, whenever a part is asked for. */
export function storeView(cache: WorkloadCache, point: SyncPoint): Iterable<StateFields> {
  return partsOf({
    point,
    entries: [...cache.entries()],
    bundles: [...cache.bundles.values()],
    svids: cache.svids.stored(),
    wits: cache.tokens.witSvids?.stored() ?? [],
  });
}

function* partsOf(o: {
  readonly point: SyncPoint;
  readonly entries: readonly CachedEntry[];
  readonly bundles: readonly CachedBundle[];
  readonly svids: readonly StoredX509Svid[];
  readonly wits: readonly HeldToken<WitSvid>[];
}): Generator<StateFields, void> {
  const { point, bundles } = o;
  yield {
    authorizationDigest: point.authorizationDigest,
    revocationEpoch: point.revocationEpoch,
    policyRevision: point.policyRevision,
    ...(point.cursor === undefined ? {} : { cursor: point.cursor }),
    bundles: bundles.map(({ wire }) => wire),
    federationLimits: bundles
      .filter(({ limits }) => !limits.equals(FederationLimits.ANY))
      .map(({ trustDomain, limits }) => encodeFederationLimits(trustDomain, limits)),
  };
  for (const some of slicesOf(o.entries, ITEMS_IN_A_PART)) yield { entries: some.map(writeEntry) };
  for (const some of slicesOf(o.svids, ITEMS_IN_A_PART)) yield { x509Svids: some.map(storeSvid) };
  for (const some of slicesOf(o.wits, ITEMS_IN_A_PART)) yield { witSvids: some.map(storeWit) };
}

function storeSvid({
  record,
  instance = "",
  executable = "",
}: StoredX509Svid): Omit<StoredSvidMessage, "$typeName"> {
  return {
    entryId: record.entryId,
    entryRevision: record.entryRevision,
    instance,
    executable,
    certificateChain: record.certificateChainDer,
    privateKey: record.privateKeyPkcs8,
    renewAtMs: BigInt(record.renewAt.getTime()),
  };
}

/**
 * Fills an empty cache with what the state file holds. What has expired meanwhile stays out.
 *
 * @returns where the agent stood
 */
export function restoreView(
  state: AgentState,
  o: { readonly cache: WorkloadCache; readonly trustDomain: TrustDomain; readonly log: Logger },
): SyncPoint {
  const { cache } = o;
  const { cursor } = state;
  cache.apply({
    revision: cursor?.revision ?? 0n,
    entries: tryEach(o.log, state.entries, (entry) => readEntry(entry, o.trustDomain)),
    removedEntryIds: [],
    bundles: state.bundles,
    federationLimits: readLimits(state.federationLimits, o.log),
    removedBundles: [],
  });
  cache.removeExpiredEntries();
  cache.svids.restore(tryEach(o.log, state.x509Svids, restoreSvid), (id): CachedEntry | undefined =>
    cache.entry(id),
  );
  cache.setStatus({ revision: cursor?.revision ?? 0n, serverRevision: cursor?.revision ?? 0n });
  const point: SyncPoint = {
    cursor: cursor && { incarnation: cursor.incarnation, revision: cursor.revision },
    authorizationDigest: state.authorizationDigest.slice(),
    revocationEpoch: state.revocationEpoch,
    policyRevision: state.policyRevision,
  };
  const isServed = ({ request }: { request: { entryId: string } }): boolean =>
    cache.entry(request.entryId) !== undefined;
  const wits = tryEach(o.log, state.witSvids, restoreWit).filter(isServed);
  cache.restoreWitSvids(wits, issuanceEpoch(point));
  return point;
}

function restoreSvid(stored: StoredSvidMessage): StoredX509Svid {
  const record = restoreRecord({
    entryId: stored.entryId,
    entryRevision: stored.entryRevision,
    certificateChainDer: stored.certificateChain.slice(),
    privateKeyPkcs8: stored.privateKey.slice(),
    renewAt: new Date(Number(stored.renewAtMs)),
  });
  return {
    record,
    instance: stored.instance || undefined,
    executable: stored.executable || undefined,
  };
}

// The file as a whole is intact; one item that this version cannot read does not take the others with it.
function tryEach<T, U>(log: Logger, items: readonly T[], read: (item: T) => U): readonly U[] {
  return items.flatMap((item) => {
    try {
      return [read(item)];
    } catch (err) {
      log.warn({ err }, "Item of the state file is not usable");
      return [];
    }
  });
}
