import { isDeepStrictEqual } from "node:util";
import type { Bundle, JWTKey, WITKey } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { Selector } from "../../proto/selector.ts";
import {
  invalidArgument,
  permissionDenied,
  unimplemented,
} from "../../runtime/errors/status-error.ts";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import type { Delivery } from "../audit/delivery-records.ts";
import { signingAuthorities } from "../identity/signing-authorities.ts";
import { BundleCache, type CachedBundle } from "./bundle-cache.ts";
import type { CachedEntry } from "./entry.ts";
import { EntryIndex } from "./entry-index.ts";
import { instanceKey } from "./instance.ts";
import { Subscriptions } from "./subscriptions.ts";
import {
  type CachedToken,
  type HeldToken,
  type IssueToken,
  type JwtSvid,
  TokenCache,
  type WitSvid,
} from "./token-cache.ts";
import { mayHave, recipientOf, toGrantedEntry } from "./view.ts";
import type {
  GrantedEntry,
  Subscription,
  ViewStatus,
  WorkloadCaller,
  WorkloadViews,
} from "./workload-view.ts";
import { type CredentialBinding, X509SvidCache } from "./x509-svid-cache.ts";

/** A change of what this agent may know, applied as one. */
export interface CacheChange {
  /** Revision of the server's store that this came with; 0n from a server without revisions. */
  readonly revision: bigint;
  readonly entries: readonly CachedEntry[];
  readonly removedEntryIds: readonly string[];
  readonly bundles: readonly Bundle[];
  /** How far the foreign trust domains among them are trusted; one that is not named here, for everything. */
  readonly federationLimits: ReadonlyMap<string, FederationLimits>;
  /** Names of trust domains; the own one is never removed. */
  readonly removedBundles: readonly string[];
}

export interface WorkloadCacheDeps {
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly maxX509Svids: number;
  readonly maxJwtSvids: number;
  readonly issueJwtSvid: IssueToken<JwtSvid>;
  /** Absent where WIT-SVIDs are not offered. */
  readonly issueWitSvid?: IssueToken<WitSvid> | undefined;
  /** Another WIT-SVID is held, which a restart should find again. */
  readonly onWitHeld?: () => void;
  readonly onBinding: (binding: CredentialBinding) => void;
  readonly onDelivery: (delivery: Delivery) => void;
}

/** Before anything is known. */
const STARTING: ViewStatus = {
  serving: "starting",
  revision: 0n,
  serverRevision: 0n,
  connected: false,
};

/**
 * Everything this node may hand out: entries, bundles, SVIDs with their keys, and the streams that wait for them. Changes come
 * in through `apply` and leave through the subscriptions; nothing here talks to the server.
 */
export class WorkloadCache implements WorkloadViews {
  readonly svids: X509SvidCache;
  readonly jwtSvids: TokenCache<JwtSvid>;
  readonly witSvids: TokenCache<WitSvid> | undefined;
  readonly bundles: BundleCache = new BundleCache();
  readonly subscriptions: Subscriptions;
  readonly #deps: WorkloadCacheDeps;
  readonly #entries = new EntryIndex();
  readonly #status = new Feed<ViewStatus>(STARTING);
  readonly #ordersDue = new Feed(0);
  readonly #selectorKinds = new Feed(0);
  readonly #nextEnd = new Feed<Date | undefined>(undefined);
  readonly #allBundles = new Feed<readonly CachedBundle[]>([]);
  #issuanceEpoch = "";

  constructor(deps: WorkloadCacheDeps) {
    this.#deps = deps;
    this.svids = new X509SvidCache({
      clock: deps.clock,
      random: deps.random,
      maxSvids: deps.maxX509Svids,
      onChange: (entryId) => this.subscriptions.svidChanged(entryId),
      onDue: () => this.wakeIssuer(),
      onBinding: deps.onBinding,
    });
    const tokens = {
      clock: deps.clock,
      maxSvids: deps.maxJwtSvids,
      epoch: () => this.#issuanceEpoch,
    };
    const { issueWitSvid, onWitHeld: onHeld } = deps;
    this.jwtSvids = new TokenCache({ ...tokens, issue: deps.issueJwtSvid });
    this.witSvids = issueWitSvid && new TokenCache({ ...tokens, issue: issueWitSvid, onHeld });
    this.subscriptions = new Subscriptions({
      trustDomain: deps.trustDomain,
      entries: this.#entries,
      svids: this.svids,
      bundles: this.bundles,
      serving: () => this.#status.value.serving,
      onDelivery: deps.onDelivery,
    });
  }

  get status(): ReadFeed<ViewStatus> {
    return this.#status;
  }

  get selectorKinds(): ReadFeed<number> {
    return this.#selectorKinds;
  }

  get allBundles(): ReadFeed<readonly CachedBundle[]> {
    return this.#allBundles;
  }

  /** Changes when an X509-SVID may have to be ordered at once. */
  get ordersDue(): ReadFeed<number> {
    return this.#ordersDue;
  }

  /** Makes whoever reads `ordersDue` look again, since there is room for another order. */
  wakeIssuer(): void {
    this.#ordersDue.set(this.#ordersDue.value + 1);
  }

  get entryCount(): number {
    return this.#entries.size;
  }

  entry(id: string): CachedEntry | undefined {
    return this.#entries.get(id);
  }

  entries(): IterableIterator<CachedEntry> {
    return this.#entries.values();
  }

  setStatus(change: Partial<ViewStatus>): void {
    const before = this.#status.value;
    this.#status.set({ ...before, ...change });
    if (change.serving !== undefined && change.serving !== before.serving) {
      this.subscriptions.servingChanged();
    }
  }

  /** Under what JWT-SVIDs are issued from now on; those issued under anything else are not served again. */
  setIssuanceEpoch(epoch: string): void {
    this.#issuanceEpoch = epoch;
  }

  /** Applies a change as one: no stream sees half of it. Removals come first, so that what is gone is gone in every case. */
  apply(change: CacheChange): void {
    const { revision } = change;
    for (const id of change.removedEntryIds) this.#removeEntry(id, revision);
    const changed = new Set<string>();
    for (const name of change.removedBundles) {
      if (name !== this.#deps.trustDomain && this.bundles.remove(name)) changed.add(name);
    }
    for (const wire of change.bundles) {
      const limits = change.federationLimits.get(wire.trustDomain);
      if (this.bundles.put(wire, limits) === undefined) continue;
      if (wire.trustDomain === this.#deps.trustDomain) this.#setAuthorities(wire);
      changed.add(wire.trustDomain);
    }
    for (const name of changed) this.subscriptions.bundleChanged(name, revision);
    if (changed.size > 0) this.#allBundles.set([...this.bundles.values()]);
    this.removeEndedBundles();
    for (const entry of change.entries) this.#putEntry(entry, revision);
    const { newKinds } = this.#entries;
    if (newKinds !== this.#selectorKinds.value) this.#selectorKinds.set(newKinds);
  }

  /** Takes out the entries whose time is up; returns how many. */
  removeExpiredEntries(): number {
    const nowSeconds = BigInt(Math.floor(this.#deps.clock.now().getTime() / 1000));
    const expired = [...this.#entries.values()].filter(
      (entry) => entry.expiresAt !== 0n && entry.expiresAt <= nowSeconds,
    );
    for (const entry of expired) this.#removeEntry(entry.id, this.#status.value.revision);
    return expired.length;
  }

  /** Takes out the bundles of relationships whose time is up; returns their trust domains. */
  removeEndedBundles(): readonly string[] {
    const now = this.#deps.clock.now();
    const ended = [...this.bundles.values()].filter(({ limits }) => limits.hasEnded(now));
    for (const { trustDomain } of ended) {
      this.bundles.remove(trustDomain);
      this.subscriptions.bundleChanged(trustDomain, this.#status.value.revision);
    }
    if (ended.length > 0) this.#allBundles.set([...this.bundles.values()]);
    const next = firstEnd(this.bundles.values());
    if (next?.getTime() !== this.#nextEnd.value?.getTime()) this.#nextEnd.set(next);
    return ended.map(({ trustDomain }) => trustDomain);
  }

  /** When the next relationship ends; undefined when none does. */
  get nextFederationEnd(): ReadFeed<Date | undefined> {
    return this.#nextEnd;
  }

  /** Drops every entry and everything that was issued here, for example since the server banned this agent. */
  removeAllEntries(): void {
    for (const { id } of [...this.#entries.values()]) this.#removeEntry(id, 0n);
    this.jwtSvids.clear();
    this.witSvids?.clear();
  }

  openX509(caller: WorkloadCaller): Subscription {
    return this.subscriptions.open("x509", caller);
  }

  openEntries(caller: WorkloadCaller): Subscription {
    return this.subscriptions.open("entries", caller);
  }

  asksFor(type: string, prefix: string): boolean {
    return this.#entries.asksFor(type, prefix);
  }

  couldGrant(
    caller: Pick<WorkloadCaller, "selectors">,
    isUndecided: (selector: Selector) => boolean,
  ): boolean {
    return this.#entries.couldGrant(caller.selectors, isUndecided);
  }

  granted(caller: WorkloadCaller): readonly GrantedEntry[] {
    if (this.#status.value.serving !== "ready") return [];
    return this.#entries
      .matching(caller.selectors)
      .filter((entry) => mayHave(caller, entry))
      .map(toGrantedEntry);
  }

  async fetchJwtSvid(o: {
    readonly caller: WorkloadCaller;
    readonly entryId: string;
    readonly audience: readonly string[];
    readonly signal: AbortSignal;
  }): Promise<JwtSvid> {
    if (o.audience.length === 0) throw invalidArgument("audience: at least one is required");
    const entry = this.#grantedEntry(o.caller, o.entryId);
    const refused = o.audience.find((audience) => !isAllowed(entry, audience));
    if (refused !== undefined) {
      throw permissionDenied("audience is not among those that the entry allows", {
        reason: "audience_not_allowed",
      });
    }
    return this.#fetchToken("jwt", this.jwtSvids, entry, o, entry.freshJwt);
  }

  get offersWitSvids(): boolean {
    return this.witSvids !== undefined;
  }

  async fetchWitSvid(o: {
    readonly caller: WorkloadCaller;
    readonly entryId: string;
    readonly signal: AbortSignal;
  }): Promise<WitSvid> {
    if (this.witSvids === undefined) throw unimplemented("WIT-SVIDs are not offered here");
    const entry = this.#grantedEntry(o.caller, o.entryId);
    return this.#fetchToken("wit", this.witSvids, entry, { ...o, audience: [] }, false);
  }

  async #fetchToken<T extends CachedToken>(
    kind: "jwt" | "wit",
    tokens: TokenCache<T>,
    entry: CachedEntry,
    o: Parameters<WorkloadViews["fetchJwtSvid"]>[0],
    fresh: boolean,
  ): Promise<T> {
    const { caller, audience, signal } = o;
    const instance = instanceKey(entry.instanceScope, caller.instance);
    const svid = await tokens.fetch({ entryId: entry.id, instance, audience }, { fresh, signal });
    // The entry may have gone, or changed its hint, while the server was signing.
    const { hint } = this.#grantedEntry(caller, entry.id);
    this.#deps.onDelivery({
      kind,
      spiffeId: svid.spiffeId,
      entryId: entry.id,
      entryRevision: entry.revision,
      credential: svid.jti ?? "",
      issuer: "",
      audience,
      expiresAt: svid.expiresAt,
      instance,
      ...recipientOf(caller),
    });
    return { ...svid, hint };
  }

  /** Takes WIT-SVIDs back from an earlier run, as issued under `epoch`: those that the own bundle still has a good key for. */
  restoreWitSvids(held: readonly HeldToken<WitSvid>[], epoch: string): void {
    this.witSvids?.restore(held, epoch);
    const own = this.bundles.get(this.#deps.trustDomain)?.wire;
    this.witSvids?.keepSignedBy(goodKeyIds(own?.witAuthorities ?? []));
  }

  #setAuthorities(own: Bundle): void {
    this.svids.setAuthorities(signingAuthorities(own));
    this.jwtSvids.keepSignedBy(goodKeyIds(own.jwtAuthorities));
    this.witSvids?.keepSignedBy(goodKeyIds(own.witAuthorities));
  }

  #grantedEntry(caller: WorkloadCaller, entryId: string): CachedEntry {
    const granted = this.granted(caller).some((entry) => entry.entryId === entryId);
    const entry = granted ? this.#entries.get(entryId) : undefined;
    if (entry === undefined) {
      throw permissionDenied("no identity issued", { reason: "no_entry" });
    }
    return entry;
  }

  #putEntry(entry: CachedEntry, revision: bigint): void {
    const known = this.#entries.get(entry.id);
    // All of it is compared, because a store that went back in its history gives a revision out twice.
    if (known !== undefined && isDeepStrictEqual(known, entry)) return;
    this.#entries.put(entry);
    this.jwtSvids.removeEntry(entry.id);
    this.witSvids?.removeEntry(entry.id);
    this.svids.putEntry(entry);
    this.subscriptions.entryPut(entry, revision);
  }

  #removeEntry(id: string, revision: bigint): void {
    if (this.#entries.remove(id) === undefined) return;
    this.jwtSvids.removeEntry(id);
    this.witSvids?.removeEntry(id);
    this.svids.removeEntry(id);
    this.subscriptions.entryRemoved(id, revision);
  }
}

function firstEnd(bundles: Iterable<CachedBundle>): Date | undefined {
  const ends = [...bundles].flatMap(({ limits: { endsAt } }) => (endsAt ? [endsAt.getTime()] : []));
  return ends.length === 0 ? undefined : new Date(Math.min(...ends));
}

function goodKeyIds(authorities: readonly (JWTKey | WITKey)[]): ReadonlySet<string> {
  return new Set(authorities.filter(({ tainted }) => !tainted).map(({ keyId }) => keyId));
}

function isAllowed(entry: CachedEntry, audience: string): boolean {
  return entry.allowedAudiences.length === 0 || entry.allowedAudiences.includes(audience);
}
