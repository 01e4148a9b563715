import { type Cursor, Update_Kind as Kind } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import type { Authorization } from "../entries/authorization.ts";
import type { ServedBundles } from "../federation/served-bundles.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";
import type { PendingChanges } from "./pending.ts";
import type { UpdateContent } from "./update-messages.ts";
import type { WirePart, WireParts } from "./wire-parts.ts";

/** What updates are computed from, at the moment they are sent: a push grants nothing that was true only when it was queued. */
export interface UpdateSource {
  readonly authorization: Pick<
    Authorization,
    "forAgent" | "find" | "digest" | "federatedTrustDomains" | "revision"
  >;
  readonly bundles: Pick<ServedBundles, "get" | "limitsOf" | "isForAnybody">;
  readonly trustDomain: string;
  readonly incarnation: string;
  readonly revocationEpoch: () => bigint;
  readonly parts: WireParts;
}

/** Whom an update is for. */
export interface UpdateReader {
  readonly agentId: string;
  /** Trust domains whose bundles the agent has; brought up to date with each update. */
  readonly sentBundles: Set<string>;
  /** The agent keeps to the limits of a federation, so that it may have the bundles of limited ones. */
  readonly keepsLimits: boolean;
}

/** Turns what has changed into what the agent has to hear. */
export function computeUpdate(
  source: UpdateSource,
  reader: UpdateReader,
  changes: PendingChanges,
): UpdateContent {
  const { agentId, sentBundles } = reader;
  const { authorization } = source;
  const base = {
    cursor: cursorOf(source),
    revocationEpoch: source.revocationEpoch(),
    authorizationDigest: authorization.digest(agentId),
  };
  const whole = changes.whole;
  if (whole === "snapshot" || whole === "inventory") {
    sentBundles.clear();
    const records = authorization.forAgent(agentId);
    const partOf = (record: AuthorizedEntryRecord): WirePart => source.parts.entry(record);
    const bundles = computeBundles(source, reader, []);
    return whole === "snapshot"
      ? { ...base, kind: Kind.SNAPSHOT, entries: records.map(partOf), ...bundles }
      : { ...base, kind: Kind.INVENTORY, inventory: records.map(revisionOf), ...bundles };
  }
  return {
    ...base,
    kind: Kind.DIFFERENCE,
    ...lookUp(source, agentId, changes.entryIds),
    ...computeBundles(source, reader, changes.bundles),
  };
}

/** The entries that the agent asked for; those it may not see are named as removed. */
export function computeEntries(
  source: UpdateSource,
  agentId: string,
  ids: readonly string[],
): UpdateContent {
  return {
    kind: Kind.ENTRIES,
    cursor: cursorOf(source),
    revocationEpoch: source.revocationEpoch(),
    authorizationDigest: source.authorization.digest(agentId),
    ...lookUp(source, agentId, ids),
  };
}

function lookUp(
  { authorization, parts }: UpdateSource,
  agentId: string,
  ids: readonly string[],
): Pick<UpdateContent, "entries" | "removedEntryIds"> {
  const entries: WirePart[] = [];
  const removedEntryIds: string[] = [];
  for (const id of ids) {
    const record = authorization.find(agentId, id);
    if (record === undefined) removedEntryIds.push(id);
    else entries.push(parts.entry(record));
  }
  return { entries, removedEntryIds };
}

function computeBundles(
  source: UpdateSource,
  reader: UpdateReader,
  changed: readonly string[],
): Pick<UpdateContent, "bundles" | "federationLimits" | "removedBundles"> {
  const { bundles, trustDomain, parts } = source;
  const { sentBundles: sent } = reader;
  const needed = foreignBundles(source, reader).add(trustDomain);
  const due = [...needed].filter((name) => !sent.has(name) || changed.includes(name));
  const encoded: WirePart[] = [];
  const federationLimits: WirePart[] = [];
  for (const name of due) {
    const message = bundles.get(name);
    if (message === undefined) continue;
    encoded.push(parts.bundle(message));
    const limits = bundles.limitsOf(name);
    if (limits !== FederationLimits.ANY) federationLimits.push(parts.limits(name, limits));
    sent.add(name);
  }
  const removedBundles = [...sent].filter(
    (name) => !needed.has(name) || bundles.get(name) === undefined,
  );
  for (const name of removedBundles) sent.delete(name);
  return { bundles: encoded, federationLimits, removedBundles };
}

/** The foreign trust domains whose bundles the agent may have. */
function foreignBundles(
  { authorization, bundles }: UpdateSource,
  { agentId, keepsLimits }: UpdateReader,
): Set<string> {
  const wanted = new Set(authorization.federatedTrustDomains(agentId));
  if (keepsLimits || [...wanted].every((name) => bundles.limitsOf(name).isAny)) return wanted;
  const entries = authorization.forAgent(agentId);
  return new Set([...wanted].filter((name) => bundles.isForAnybody(name, entries)));
}

function cursorOf({
  incarnation,
  authorization,
}: UpdateSource): Pick<Cursor, "incarnation" | "revision"> {
  return { incarnation, revision: authorization.revision };
}

function revisionOf({ id, revisionNumber, createdAt }: AuthorizedEntryRecord) {
  return { id, revisionNumber: BigInt(revisionNumber), createdAt: BigInt(createdAt) };
}
