import { selectorKey, selectorKeys, sortedKeys } from "../../proto/selector.ts";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Delivery } from "../audit/delivery-records.ts";
import type { BundleCache } from "./bundle-cache.ts";
import type { CachedEntry } from "./entry.ts";
import { type EntryIndex, grants } from "./entry-index.ts";
import { instanceKey } from "./instance.ts";
import { buildView, mayHave, recipientOf } from "./view.ts";
import type { ServingState, Subscription, WorkloadCaller, WorkloadView } from "./workload-view.ts";
import type { X509SvidCache } from "./x509-svid-cache.ts";

/** Whether a subscription orders X509-SVIDs, or only watches entries and bundles. */
export type SubscriptionKind = "x509" | "entries";

export interface SubscriptionsDeps {
  readonly trustDomain: string;
  readonly entries: EntryIndex;
  readonly svids: X509SvidCache;
  readonly bundles: BundleCache;
  readonly serving: () => ServingState;
  /** An X509-SVID was written to a stream that had not had it. */
  readonly onDelivery: (delivery: Delivery) => void;
}

/** Callers that are the same to us: one kind, one set of selectors, one instance. They share a view. */
interface Group {
  readonly key: string;
  readonly kind: SubscriptionKind;
  readonly caller: WorkloadCaller;
  readonly selectorKeys: ReadonlySet<string>;
  readonly feed: Feed<WorkloadView>;
  readonly handles: Set<Handle>;
  /** What the selectors grant, with the instance that this caller is under the entry's scope. */
  readonly granted: Map<string, Grant>;
  /** The oldest revision of which something may not have reached every handle. */
  owedSince: bigint | undefined;
}

interface Grant {
  readonly entry: CachedEntry;
  readonly instance: string;
  /** Whether the group counts as a user of the instance's SVID; not while the cache has no room for it. */
  readonly counted: boolean;
}

interface Handle {
  deliveredVersion: number;
  /** Serial numbers of what the stream was last written. */
  serialNumbers: ReadonlySet<string>;
}

/**
 * The open streams of this node's workloads. A change of an entry, an SVID or a bundle looks up the groups that it concerns and
 * touches no other; their views are put together again once per turn of the event loop, however many changes came with it.
 */
export class Subscriptions {
  readonly #deps: SubscriptionsDeps;
  readonly #groups = new Map<string, Group>();
  readonly #bySelector = new Map<string, Set<Group>>();
  readonly #byEntry = new Map<string, Set<Group>>();
  readonly #dirty = new Set<Group>();
  readonly #owing = new Set<Group>();
  readonly #owedSince = new Feed<bigint | undefined>(undefined);
  #openCount = 0;

  constructor(deps: SubscriptionsDeps) {
    this.#deps = deps;
  }

  /** How many streams are open. */
  get openCount(): number {
    return this.#openCount;
  }

  /** The oldest revision that some open stream has not been written yet; undefined when all have been. */
  get owedSince(): ReadFeed<bigint | undefined> {
    return this.#owedSince;
  }

  open(kind: SubscriptionKind, caller: WorkloadCaller): Subscription {
    const group = this.#groupOf(kind, caller);
    const handle: Handle = { deliveredVersion: -1, serialNumbers: new Set() };
    group.handles.add(handle);
    this.#openCount += 1;
    let open = true;
    return {
      feed: group.feed,
      delivered: (view) => {
        handle.deliveredVersion = Math.max(handle.deliveredVersion, view.version);
        this.#tellDeliveries(group, handle, view);
        this.#settle(group);
      },
      [Symbol.dispose]: () => {
        if (!open) return;
        open = false;
        this.#openCount -= 1;
        group.handles.delete(handle);
        if (group.handles.size === 0) this.#close(group);
        else this.#settle(group);
      },
    };
  }

  /** An entry came or changed. Call it after the index and the SVID cache know. */
  entryPut(entry: CachedEntry, revision: bigint): void {
    const concerned = new Set(this.#byEntry.get(entry.id));
    for (const group of this.#groupsWithAnchorOf(entry)) concerned.add(group);
    for (const group of concerned) {
      if (isGranted(group, entry)) this.#grant(group, entry);
      else this.#withdraw(group, entry.id);
      this.#touch(group, revision);
    }
  }

  /** An entry has gone. */
  entryRemoved(entryId: string, revision: bigint): void {
    for (const group of [...(this.#byEntry.get(entryId) ?? [])]) {
      this.#withdraw(group, entryId);
      this.#touch(group, revision);
    }
  }

  bundleChanged(trustDomain: string, revision: bigint): void {
    for (const group of this.#groups.values()) {
      if (trustDomain === this.#deps.trustDomain || federatesWith(group, trustDomain)) {
        this.#touch(group, revision);
      }
    }
  }

  /** An SVID of the entry came or went, or is not to be expected. */
  svidChanged(entryId: string): void {
    for (const group of this.#byEntry.get(entryId) ?? []) this.#touch(group, undefined);
  }

  /** Whether workloads are served at all has changed. */
  servingChanged(): void {
    for (const group of this.#groups.values()) this.#touch(group, undefined);
  }

  #tellDeliveries({ caller, granted }: Group, handle: Handle, view: WorkloadView): void {
    for (const identity of view.identities) {
      if (handle.serialNumbers.has(identity.serialNumber)) continue;
      const { entryId, serialNumber } = identity;
      const instance = granted.get(entryId)?.instance ?? "";
      const record = this.#deps.svids.current(entryId, instance);
      this.#deps.onDelivery({
        kind: "x509",
        spiffeId: identity.spiffeId,
        entryId,
        entryRevision: record?.entryRevision ?? 0n,
        credential: serialNumber,
        issuer: record?.authorityKeyIds[0] ?? "",
        audience: [],
        expiresAt: identity.expiresAt,
        instance,
        ...recipientOf(caller),
      });
    }
    handle.serialNumbers = new Set(view.identities.map(({ serialNumber }) => serialNumber));
  }

  #groupOf(kind: SubscriptionKind, caller: WorkloadCaller): Group {
    const key = groupKey(kind, caller);
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const keys = selectorKeys(caller.selectors);
    const group: Group = {
      key,
      kind,
      caller,
      selectorKeys: keys,
      feed: new Feed<WorkloadView>(this.#emptyView()),
      handles: new Set(),
      granted: new Map(),
      owedSince: undefined,
    };
    this.#groups.set(key, group);
    for (const selector of keys) addTo(this.#bySelector, selector, group);
    for (const entry of this.#deps.entries.matching(caller.selectors)) {
      if (mayHave(caller, entry)) this.#grant(group, entry);
    }
    group.feed.set(this.#viewOf(group));
    return group;
  }

  #close(group: Group): void {
    for (const entryId of [...group.granted.keys()]) this.#withdraw(group, entryId);
    for (const selector of group.selectorKeys) removeFrom(this.#bySelector, selector, group);
    this.#groups.delete(group.key);
    this.#dirty.delete(group);
    this.#settle(group);
  }

  #grant(group: Group, entry: CachedEntry): void {
    const instance = instanceKey(entry.instanceScope, group.caller.instance);
    const held = group.granted.get(entry.id);
    addTo(this.#byEntry, entry.id, group);
    let counted = held?.counted ?? false;
    if (group.kind === "x509" && !(counted && held?.instance === instance)) {
      const { svids } = this.#deps;
      if (held?.counted) svids.release(entry.id, held.instance);
      counted = svids.use(entry, instance, group.caller.executable);
    }
    group.granted.set(entry.id, { entry, instance, counted });
  }

  #withdraw(group: Group, entryId: string): void {
    const held = group.granted.get(entryId);
    if (held === undefined) return;
    group.granted.delete(entryId);
    removeFrom(this.#byEntry, entryId, group);
    if (held.counted) this.#deps.svids.release(entryId, held.instance);
  }

  #groupsWithAnchorOf(entry: CachedEntry): ReadonlySet<Group> {
    let fewest: ReadonlySet<Group> | undefined;
    for (const selector of entry.selectors) {
      const groups = this.#bySelector.get(selectorKey(selector));
      if (groups === undefined) return NO_GROUPS;
      if (fewest === undefined || groups.size < fewest.size) fewest = groups;
    }
    return fewest ?? NO_GROUPS;
  }

  #touch(group: Group, revision: bigint | undefined): void {
    if (revision !== undefined && group.owedSince === undefined) {
      group.owedSince = revision;
      this.#owing.add(group);
      this.#tellOwed();
    }
    if (this.#dirty.size === 0) queueMicrotask(() => this.#flush());
    this.#dirty.add(group);
  }

  #flush(): void {
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    for (const group of dirty) {
      const before = group.feed.value;
      const view = this.#viewOf(group);
      if (view.version !== before.version || view.pending !== before.pending) group.feed.set(view);
      this.#settle(group);
    }
  }

  // A group owes nothing once nothing is on order for it and every handle has written the newest view.
  #settle(group: Group): void {
    if (group.owedSince === undefined || this.#dirty.has(group)) return;
    const { version, pending } = group.feed.value;
    const isOwing =
      pending > 0 || [...group.handles].some((handle) => handle.deliveredVersion < version);
    if (isOwing && group.handles.size > 0) return;
    group.owedSince = undefined;
    this.#owing.delete(group);
    this.#tellOwed();
  }

  #tellOwed(): void {
    let oldest: bigint | undefined;
    for (const { owedSince } of this.#owing) {
      if (owedSince !== undefined && (oldest === undefined || owedSince < oldest))
        oldest = owedSince;
    }
    if (oldest !== this.#owedSince.value) this.#owedSince.set(oldest);
  }

  #viewOf(group: Group): WorkloadView {
    const { svids } = this.#deps;
    const withSvids = group.kind === "x509";
    return buildView({
      serving: this.#deps.serving(),
      granted: [...group.granted.values()].map(({ entry, instance }) => ({
        entry,
        record: withSvids ? svids.current(entry.id, instance) : undefined,
        pending: withSvids && svids.isPending(entry.id, instance),
      })),
      bundles: this.#deps.bundles,
      trustDomain: this.#deps.trustDomain,
      previous: group.feed.value,
    });
  }

  #emptyView(): WorkloadView {
    return buildView({
      serving: this.#deps.serving(),
      granted: [],
      bundles: this.#deps.bundles,
      trustDomain: this.#deps.trustDomain,
      previous: undefined,
    });
  }
}

const NO_GROUPS: ReadonlySet<Group> = new Set();

function groupKey(kind: SubscriptionKind, caller: WorkloadCaller): string {
  const { podUid, containerId, systemdUnit, uid, process, delegate } = caller.instance;
  const instance = [podUid, containerId, systemdUnit, uid, process, delegate];
  return JSON.stringify([kind, sortedKeys(caller.selectors), instance, caller.executable]);
}

function isGranted({ caller, selectorKeys }: Group, entry: CachedEntry): boolean {
  return grants(entry, selectorKeys) && mayHave(caller, entry);
}

function federatesWith(group: Group, trustDomain: string): boolean {
  for (const { entry } of group.granted.values()) {
    if (entry.federatesWith.includes(trustDomain)) return true;
  }
  return false;
}

function addTo<T>(index: Map<string, Set<T>>, key: string, value: T): void {
  const set = index.get(key);
  if (set === undefined) index.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom<T>(index: Map<string, Set<T>>, key: string, value: T): void {
  const set = index.get(key);
  set?.delete(value);
  if (set?.size === 0) index.delete(key);
}
