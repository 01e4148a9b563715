import { isDeepStrictEqual } from "node:util";
import type { Bundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { Selector } from "../../proto/selector.ts";
import { permissionDenied } from "../../runtime/errors/status-error.ts";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Random } from "../../runtime/random.ts";
import type { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import { signingAuthorities } from "../identity/signing-authorities.ts";
import { BundleCache, type CachedBundle } from "./bundle-cache.ts";
import type { CredentialBinding } from "./credential-binding.ts";
import type { CachedEntry } from "./entry.ts";
import { EntryIndex } from "./entry-index.ts";
import { Subscriptions } from "./subscriptions.ts";
import type { HeldToken, JwtSvid, WitSvid } from "./token-cache.ts";
import { mayHave, toGrantedEntry } from "./view.ts";
import { type TokenCall, WorkloadTokens, type WorkloadTokensDeps } from "./workload-tokens.ts";
import type {
  GrantedEntry,
  Subscription,
  ViewStatus,
  WorkloadCaller,
  WorkloadViews,
} from "./workload-view.ts";
import { X509SvidCache } from "./x509-svid-cache.ts";

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

export interface WorkloadCacheDeps extends Omit<WorkloadTokensDeps, "grantedEntry"> {
  readonly trustDomain: string;
  readonly random: Random;
  readonly maxX509Svids: number;
  readonly onBinding: (binding: CredentialBinding) => void;
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
  readonly tokens: WorkloadTokens;
  readonly bundles: BundleCache = new BundleCache();
  readonly subscriptions: Subscriptions;
  readonly #deps: WorkloadCacheDeps;
  readonly #entries = new EntryIndex();
  readonly #status = new Feed<ViewStatus>(STARTING);
  readonly #ordersDue = new Feed(0);
  readonly #selectorKinds = new Feed(0);
  readonly #nextEnd = new Feed<Date | undefined>(undefined);
  readonly #allBundles = new Feed<readonly CachedBundle[]>([]);

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
    this.tokens = new WorkloadTokens({
      ...deps,
      grantedEntry: (caller, entryId) => this.#grantedEntry(caller, entryId),
    });
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
    this.tokens.clear();
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

  fetchJwtSvid(call: TokenCall & { readonly audience: readonly string[] }): Promise<JwtSvid> {
    return this.tokens.fetchJwtSvid(call);
  }

  get offersWitSvids(): boolean {
    return this.tokens.witSvids !== undefined;
  }

  fetchWitSvid(call: TokenCall): Promise<WitSvid> {
    return this.tokens.fetchWitSvid(call);
  }

  /** Takes WIT-SVIDs back from an earlier run; see `WorkloadTokens`. */
  restoreWitSvids(held: readonly HeldToken<WitSvid>[], epoch: string): void {
    this.tokens.restoreWitSvids(held, epoch, this.bundles.get(this.#deps.trustDomain)?.wire);
  }

  #setAuthorities(own: Bundle): void {
    this.svids.setAuthorities(signingAuthorities(own));
    this.tokens.keepSignedBy(own);
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
    this.tokens.removeEntry(entry.id);
    this.svids.putEntry(entry);
    this.subscriptions.entryPut(entry, revision);
  }

  #removeEntry(id: string, revision: bigint): void {
    if (this.#entries.remove(id) === undefined) return;
    this.tokens.removeEntry(id);
    this.svids.removeEntry(id);
    this.subscriptions.entryRemoved(id, revision);
  }
}

function firstEnd(bundles: Iterable<CachedBundle>): Date | undefined {
  const ends = [...bundles].flatMap(({ limits: { endsAt } }) => (endsAt ? [endsAt.getTime()] : []));
  return ends.length === 0 ? undefined : new Date(Math.min(...ends));
}
