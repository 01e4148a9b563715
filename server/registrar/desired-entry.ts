import { hash } from "node:crypto";
import type { Selector } from "../../proto/selector.ts";

/** The resource that an entry stands for. */
export interface EntryOrigin {
  readonly kind: string;
  readonly cluster: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
}

/** An entry that is to exist. Its fields have passed the rules of the protocol. */
export interface DesiredEntry {
  readonly spiffeId: string;
  readonly parentId: string;
  /** In the order of compareSelectors, each once. */
  readonly selectors: readonly Selector[];
  readonly x509SvidTtlSeconds: number;
  readonly jwtSvidTtlSeconds: number;
  /** Sorted, each once. */
  readonly federatesWith: readonly string[];
  readonly admin: boolean;
  readonly downstream: boolean;
  readonly storeSvid: boolean;
  readonly dnsNames: readonly string[];
  readonly hint: string;
  readonly owner: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly origin: EntryOrigin;
}

/** An entry of the registrar's that exists. */
export interface ActualEntry extends DesiredEntry {
  readonly id: string;
}

/** Labels that the registrar puts on its entries. */
export const ENTRY_LABELS = {
  /** UID of the cluster's kube-system namespace: which cluster it was, whatever it is called. */
  clusterUid: "assay.dev/cluster-uid",
  namespace: "assay.dev/namespace",
  pod: "assay.dev/pod",
  /** The object at the root of the pod's owners: "Deployment/shop/web". */
  rootOwner: "assay.dev/root-owner",
  /** What a tenant can set and the entry follows. */
  restsOn: "assay.dev/rests-on",
} as const;

/** Equal for entries that the server would call similar: same parent, SPIFFE ID and selectors. */
export function identityOf(entry: DesiredEntry): string {
  const { parentId, spiffeId, selectors } = entry;
  return digest([parentId, spiffeId, selectors.map(({ type, value }) => [type, value])]);
}

/** Equal for entries that say the same. The generation of an origin alone is no reason to write an entry again. */
export function contentOf(entry: DesiredEntry): string {
  const { origin, labels } = entry;
  return digest([
    identityOf(entry),
    entry.x509SvidTtlSeconds,
    entry.jwtSvidTtlSeconds,
    entry.federatesWith,
    entry.admin,
    entry.downstream,
    entry.storeSvid,
    entry.dnsNames,
    entry.hint,
    entry.owner,
    Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)),
    [origin.kind, origin.cluster, origin.namespace, origin.name, origin.uid],
  ]);
}

// Kept for every entry, so it is short: a registrar of 100,000 pods holds no second copy of their entries.
function digest(value: unknown): string {
  return hash("sha256", JSON.stringify(value), "base64url").slice(0, 24);
}

const POD_UID = "pod-uid:";

/** The selector that only the containers of one pod have. */
export function podUidSelector(uid: string): Selector {
  return { type: "k8s", value: `${POD_UID}${uid}` };
}

/** Whether a selector names a pod by its UID. */
export function isPodUidSelector({ type, value }: Selector): boolean {
  return type === "k8s" && value.startsWith(POD_UID);
}

/**
 * What an entry belongs to: "pod:UID" or "static:UID of the resource". Entries of one group are written in order, those of
 * different groups have nothing to do with each other.
 */
export function groupOf({ selectors, origin }: DesiredEntry): string {
  const selector = selectors.find(isPodUidSelector);
  return origin.kind === "ClusterStaticEntry" || selector === undefined
    ? staticGroup(origin.uid)
    : podGroup(selector.value.slice(POD_UID.length));
}

/** The group of a pod's entries. */
export function podGroup(podUid: string): string {
  return `pod:${podUid}`;
}

/** The group of the entry that a resource spells out. */
export function staticGroup(resourceUid: string): string {
  return `static:${resourceUid}`;
}
