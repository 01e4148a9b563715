import { isDeepStrictEqual } from "node:util";
import {
  type AuthorizedEntry,
  type Cursor,
  Update_Kind as Kind,
  type Revocation,
  type Update,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import type { Bundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import { isSameBundle } from "../cache/bundle-cache.ts";
import type { CachedEntry } from "../cache/entry.ts";
import { readEntry } from "../cache/entry-wire.ts";
import type { WorkloadCache } from "../cache/workload-cache.ts";
import type { IdentityHolder } from "../identity/identity-holder.ts";
import { signingAuthorities } from "../identity/signing-authorities.ts";
import type { TrustStore } from "../identity/trust-store.ts";
import { readLimits } from "./read-limits.ts";
import { issuanceEpoch, leadsBack, SYNC_START, type SyncPoint } from "./sync-cursor.ts";

export interface SyncedViewDeps {
  readonly cache: WorkloadCache;
  readonly trust: TrustStore;
  readonly identity: IdentityHolder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** What an update led to. */
export interface AppliedUpdate {
  /** Where the agent stands now. */
  readonly point: SyncPoint;
  /** Something was taken away, which must be durable before it is acknowledged. */
  readonly hasRemovals: boolean;
  /** Entries that the agent lacks and asks for; the update counts as applied only once they are here. */
  readonly wanted: readonly string[];
}

/** Where the own bundle, entries and revocations come from; the same for push and poll. */
export interface ViewChange {
  readonly point: SyncPoint;
  readonly entries: readonly CachedEntry[];
  readonly removedEntryIds: readonly string[];
  readonly bundles: readonly Bundle[];
  /** How far the foreign trust domains among `bundles` are trusted; one that is not named, for everything. */
  readonly federationLimits: ReadonlyMap<string, FederationLimits>;
  readonly removedBundles: readonly string[];
  readonly revocations: readonly Revocation[];
}

/**
 * Keeps the cache in step with what the server says this agent may know. Each complete update is applied as one; the place in
 * the server's log moves only when the cache holds all that belongs to it.
 */
export class SyncedView {
  readonly #deps: SyncedViewDeps;
  #point: SyncPoint;
  #isKnown: boolean;
  /** Entries asked for after an inventory, and where the agent will stand once they are here. */
  #missing: { readonly ids: Set<string>; point: SyncPoint } | undefined;

  /**
   * @param restored where an earlier run of the agent stood, with the cache filled as it was then; undefined when nothing is
   *   known yet
   */
  constructor(deps: SyncedViewDeps, restored: SyncPoint | undefined) {
    const point = restored ?? SYNC_START;
    this.#deps = deps;
    this.#point = point;
    this.#isKnown = restored !== undefined;
    deps.cache.tokens.setIssuanceEpoch(issuanceEpoch(point));
  }

  get point(): SyncPoint {
    return this.#point;
  }

  /** Whether a server has told, in this run or an earlier one, what this node may have. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** A new stream begins: what was asked for on the old one will not come. */
  restart(): void {
    this.#missing = undefined;
  }

  /** Forgets the place in the log, so that the next hello asks for everything. */
  reset(): void {
    this.#missing = undefined;
    this.#isKnown = false;
    this.#point = { ...SYNC_START, revocationEpoch: this.#point.revocationEpoch };
  }

  /**
   * Applies a complete update.
   *
   * @throws {Error} when it would lead back behind what this agent has seen, or makes no sense
   */
  applyUpdate(update: Update): AppliedUpdate {
    const { cursor } = update;
    if (cursor === undefined) throw new Error("sync: the update has no cursor");
    this.#checkDirection(update.kind, cursor);
    const point: SyncPoint = {
      cursor: { incarnation: cursor.incarnation, revision: cursor.revision },
      authorizationDigest: update.authorizationDigest.slice(),
      revocationEpoch: maxOf(this.#point.revocationEpoch, update.revocationEpoch),
      policyRevision: update.policyRevision,
    };
    const entries = this.readEntries(update.entries);
    const { revocations } = update;
    const federationLimits = readLimits(update.federationLimits, this.#deps.log);
    const change = { point, entries, ...pickBundles(update), federationLimits, revocations };
    switch (update.kind) {
      case Kind.DIFFERENCE:
        return this.#applyDifference({ ...change, removedEntryIds: update.removedEntryIds });
      case Kind.SNAPSHOT:
        this.#missing = undefined;
        return this.apply({ ...change, ...this.#whatIsGone(update, idsOf(update.entries)) });
      case Kind.INVENTORY:
        return this.#applyInventory(update, change);
      case Kind.ENTRIES:
        return this.#applyAnswer({ ...change, removedEntryIds: update.removedEntryIds }, update);
      default:
        throw new Error("sync: the update is of an unknown kind");
    }
  }

  /** The server is at a revision, and everything up to it that concerns this agent has been sent. */
  confirm(revision: bigint): void {
    const { cache } = this.#deps;
    const isWhole = this.#missing === undefined;
    cache.setStatus(
      isWhole ? { revision, serverRevision: revision } : { serverRevision: revision },
    );
  }

  /** Applies a change that is complete in itself, and moves the agent's place to where it leads. */
  apply(change: ViewChange): AppliedUpdate {
    const hasRemovals = this.#applyToCache(change);
    this.#arrive(change.point);
    return { point: this.#point, hasRemovals, wanted: [] };
  }

  // A difference belongs to what it was computed for. The whole set counts also from a server that has gone back, which it says
  // of itself; then this agent must not believe to be ahead.
  #checkDirection(kind: Kind, cursor: Cursor): void {
    if (!leadsBack(this.#point, cursor)) return;
    if (kind === Kind.DIFFERENCE) {
      throw new Error("sync: the server is behind what this agent has already seen");
    }
    this.#deps.log.warn(
      { revision: String(cursor.revision) },
      "Server has gone back in its history",
    );
  }

  #applyDifference(change: ViewChange): AppliedUpdate {
    if (this.#missing === undefined) return this.apply(change);
    // The whole set is still on its way: take what came, and move on when the rest is here.
    for (const { id } of change.entries) this.#missing.ids.delete(id);
    for (const id of change.removedEntryIds) this.#missing.ids.delete(id);
    this.#missing.point = change.point;
    return this.#applyPart(change);
  }

  #applyInventory(update: Update, change: Omit<ViewChange, "removedEntryIds">): AppliedUpdate {
    const { cache } = this.#deps;
    const sent = new Set(change.entries.map(({ id }) => id));
    // In another history of the store the same revision may stand for something else.
    const isSameHistory = this.#point.cursor?.incarnation === change.point.cursor?.incarnation;
    const ids = update.inventory
      .filter(({ id, revisionNumber, createdAt }) => {
        const held = cache.entry(id);
        const isHeld =
          isSameHistory && held?.revision === revisionNumber && held.createdAt === createdAt;
        return !isHeld && !sent.has(id);
      })
      .map(({ id }) => id);
    this.#missing = { ids: new Set(ids), point: change.point };
    const listed = new Set(update.inventory.map(({ id }) => id));
    const applied = this.#applyPart({ ...change, ...this.#whatIsGone(update, listed) });
    return { ...applied, wanted: ids };
  }

  /** An answer may cover a part of what was asked for; what it names neither way is still to come. */
  #applyAnswer(change: ViewChange, update: Update): AppliedUpdate {
    const missing = this.#missing;
    if (missing === undefined) throw new Error("sync: entries came that were not asked for");
    // What is not missing any more came with a later difference, which knew better.
    const entries = change.entries.filter(({ id }) => missing.ids.delete(id));
    const removedEntryIds = change.removedEntryIds.filter((id) => missing.ids.delete(id));
    for (const { entry } of update.entries) missing.ids.delete(entry?.id ?? "");
    return this.#applyPart({ ...change, entries, removedEntryIds });
  }

  #applyPart(change: ViewChange): AppliedUpdate {
    const hasRemovals = this.#applyToCache(change);
    if (this.#missing !== undefined && this.#missing.ids.size === 0) {
      const { point } = this.#missing;
      this.#missing = undefined;
      this.#arrive(point);
    }
    return { point: this.#point, hasRemovals, wanted: [] };
  }

  #arrive(point: SyncPoint): void {
    this.#point = point;
    this.#isKnown = true;
    const { cursor } = point;
    // What a server with revisions said before does not bind one without.
    this.#deps.cache.setStatus(
      cursor === undefined ? { revision: 0n, serverRevision: 0n } : { revision: cursor.revision },
    );
  }

  /** Returns whether something was taken away. */
  #applyToCache(change: ViewChange): boolean {
    const { cache, trust, identity } = this.#deps;
    const hasRemovals = takesAway(change, cache);
    const own = change.bundles.find(({ trustDomain }) => trustDomain === trust.trustDomain.name);
    if (own !== undefined) {
      trust.update(own);
      identity.renewTainted(signingAuthorities(own), this.#deps);
    }
    cache.tokens.setIssuanceEpoch(issuanceEpoch(change.point));
    if (change.revocations.length > 0) this.#revoke(change.revocations);
    cache.apply({ ...change, revision: change.point.cursor?.revision ?? 0n });
    return hasRemovals;
  }

  #revoke(revocations: readonly Revocation[]): void {
    const { cache, log } = this.#deps;
    cache.tokens.jwtSvids.clear();
    cache.svids.revoke((record) =>
      revocations.some(
        (revoked) =>
          (revoked.credential === "" || revoked.credential === record.serialNumber) &&
          (revoked.entryId === "" || revoked.entryId === record.entryId) &&
          (revoked.spiffeId === "" || revoked.spiffeId === record.spiffeId) &&
          (revoked.issuedBefore === 0n ||
            BigInt(Math.floor(record.notBefore.getTime() / 1000)) < revoked.issuedBefore),
      ),
    );
    log.info({ count: revocations.length }, "Credentials revoked");
  }

  /** What the whole set does not name is gone, bundles too. */
  #whatIsGone(
    update: Update,
    entryIds: ReadonlySet<string | undefined>,
  ): Pick<ViewChange, "removedEntryIds" | "removedBundles"> {
    const { cache } = this.#deps;
    const bundles = new Set(update.bundles.map(({ trustDomain }) => trustDomain));
    return {
      removedEntryIds: [...cache.entries()].map(({ id }) => id).filter((id) => !entryIds.has(id)),
      removedBundles: [...cache.bundles.values()]
        .map(({ trustDomain }) => trustDomain)
        .filter((name) => !bundles.has(name)),
    };
  }

  /** Reads what a server sent. An entry that makes no sense is logged and left out, and does not keep the others away. */
  readEntries(entries: readonly AuthorizedEntry[]): readonly CachedEntry[] {
    return entries.flatMap((authorized) => {
      try {
        return [readEntry(authorized, this.#deps.trust.trustDomain)];
      } catch (err) {
        const entryId = authorized.entry?.id ?? "";
        this.#deps.log.error({ err, entry_id: entryId }, "Entry from the server is not usable");
        return [];
      }
    });
  }
}

function idsOf(entries: readonly AuthorizedEntry[]): ReadonlySet<string | undefined> {
  return new Set(entries.map(({ entry }) => entry?.id));
}

function pickBundles(update: Update): Pick<ViewChange, "bundles" | "removedBundles"> {
  return { bundles: update.bundles, removedBundles: update.removedBundles };
}

// What replaces something may take away as much as a removal does: an entry may ask for more than before, a bundle may have lost
// an authority.
function takesAway(change: ViewChange, cache: WorkloadCache): boolean {
  return (
    change.removedEntryIds.length > 0 ||
    change.removedBundles.length > 0 ||
    change.revocations.length > 0 ||
    change.entries.some((entry) => {
      const held = cache.entry(entry.id);
      return held !== undefined && !isDeepStrictEqual(held, entry);
    }) ||
    change.bundles.some((bundle) => {
      const held = cache.bundles.get(bundle.trustDomain);
      const limits = change.federationLimits.get(bundle.trustDomain) ?? FederationLimits.ANY;
      return held !== undefined && !(isSameBundle(held.wire, bundle) && held.limits.equals(limits));
    })
  );
}

function maxOf(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
