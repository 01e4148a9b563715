import type { Delivery } from "../audit/delivery-records.ts";
import type { BundleCache, CachedBundle } from "./bundle-cache.ts";
import type { CachedEntry } from "./entry.ts";
import { byAge } from "./entry-index.ts";
import type {
  GrantedEntry,
  ServingState,
  WorkloadCaller,
  WorkloadIdentity,
  WorkloadView,
} from "./workload-view.ts";
import type { X509SvidRecord } from "./x509-svid-record.ts";

/** An entry that a caller's selectors grant, and what the cache has for the caller's instance. */
export interface GrantedWithSvid {
  readonly entry: CachedEntry;
  readonly record: X509SvidRecord | undefined;
  readonly pending: boolean;
}

/** Puts together what a workload may have now. Whoever may not be served gets nothing, not even bundles. */
export function buildView(o: {
  readonly serving: ServingState;
  readonly granted: readonly GrantedWithSvid[];
  readonly bundles: Pick<BundleCache, "get">;
  readonly trustDomain: string;
  readonly previous: WorkloadView | undefined;
}): WorkloadView {
  const granted =
    o.serving === "ready" ? [...o.granted].sort((a, b) => byAge(a.entry, b.entry)) : [];
  const view: WorkloadView = {
    version: o.previous?.version ?? 0,
    serving: o.serving,
    identities: granted.flatMap(({ entry, record }) =>
      record === undefined ? [] : [toIdentity(entry, record)],
    ),
    entries: granted.map(({ entry }) => toGrantedEntry(entry)),
    pending: granted.filter(({ pending }) => pending).length,
    bundle: o.serving === "ready" ? o.bundles.get(o.trustDomain) : undefined,
    ...foreignBundles(granted, o.bundles, o.trustDomain),
  };
  if (o.previous === undefined || isSameAnswer(o.previous, view)) return view;
  return { ...view, version: view.version + 1 };
}

/** What an entry tells of itself to those who serve workloads. */
export function toGrantedEntry(entry: CachedEntry): GrantedEntry {
  return {
    entryId: entry.id,
    spiffeId: entry.spiffeId,
    hint: entry.hint,
    allowedAudiences: entry.allowedAudiences,
  };
}

/** Whether a caller may have what its selectors grant: a delegate does not become an administrator by acting for one. */
export function mayHave({ delegate }: WorkloadCaller, { privileged }: CachedEntry): boolean {
  return delegate === undefined || !privileged;
}

/** Who gets a credential, for the record. */
export function recipientOf(
  caller: WorkloadCaller,
): Pick<Delivery, "podUid" | "executable" | "uid" | "delegate"> {
  const { instance, executable, delegate } = caller;
  return { podUid: instance.podUid, executable, uid: instance.uid, delegate };
}

function toIdentity(entry: CachedEntry, record: X509SvidRecord): WorkloadIdentity {
  return {
    entryId: entry.id,
    spiffeId: record.spiffeId,
    hint: entry.hint,
    serialNumber: record.serialNumber,
    certificateChainDer: record.certificateChainDer,
    privateKeyPkcs8: record.privateKeyPkcs8,
    expiresAt: record.notAfter,
    federatesWith: entry.federatesWith,
  };
}

function foreignBundles(
  granted: readonly GrantedWithSvid[],
  bundles: Pick<BundleCache, "get">,
  ownTrustDomain: string,
): Pick<WorkloadView, "federatedBundles" | "limitedBundles"> {
  const federatedBundles = new Map<string, CachedBundle>();
  const limitedBundles = new Map<string, CachedBundle>();
  const unrestricted = new Set(granted.flatMap(({ entry }) => entry.unrestrictedFederation));
  for (const { entry } of granted) {
    for (const name of entry.federatesWith) {
      const bundle = name === ownTrustDomain ? undefined : bundles.get(name);
      if (bundle === undefined) continue;
      const isRaw = bundle.limits.isAny || unrestricted.has(name);
      (isRaw ? federatedBundles : limitedBundles).set(name, bundle);
    }
  }
  return { federatedBundles, limitedBundles };
}

function isSameAnswer(a: WorkloadView, b: WorkloadView): boolean {
  return (
    a.serving === b.serving &&
    a.bundle === b.bundle &&
    isSameMap(a.federatedBundles, b.federatedBundles) &&
    isSameMap(a.limitedBundles, b.limitedBundles) &&
    isSameList(a.identities, b.identities, isSameIdentity) &&
    isSameList(a.entries, b.entries, isSameEntry)
  );
}

function isSameMap<T>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

function isSameIdentity(a: WorkloadIdentity, b: WorkloadIdentity): boolean {
  return (
    a.entryId === b.entryId &&
    a.serialNumber === b.serialNumber &&
    a.hint === b.hint &&
    isSameList(a.federatesWith, b.federatesWith, Object.is)
  );
}

function isSameEntry(a: GrantedEntry, b: GrantedEntry): boolean {
  return (
    a.entryId === b.entryId &&
    a.spiffeId === b.spiffeId &&
    a.hint === b.hint &&
    isSameList(a.allowedAudiences, b.allowedAudiences, Object.is)
  );
}

function isSameList<T>(a: readonly T[], b: readonly T[], isSame: (x: T, y: T) => boolean): boolean {
  return (
    a.length === b.length &&
    a.every((x, i) => {
      const y = b[i];
      return y !== undefined && isSame(x, y);
    })
  );
}
