import type { EntryOrigin } from "../desired-entry.ts";
import type { ResourceMeta } from "./resource-meta.ts";

/** The kinds of custom resources that the registrar acts on. */
export const RESOURCE_KINDS = [
  "ClusterSPIFFEID",
  "ClusterStaticEntry",
  "ClusterFederatedTrustDomain",
  "WorkloadIdentity",
] as const;

/** One of {@link RESOURCE_KINDS}. */
export type ResourceKind = (typeof RESOURCE_KINDS)[number];

/** Where resources of a kind are found in the API. */
export interface ResourceType {
  readonly kind: ResourceKind;
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

/** The types, as the custom resource definitions name them. */
export const RESOURCE_TYPES: readonly ResourceType[] = [
  spire("ClusterSPIFFEID", "clusterspiffeids"),
  spire("ClusterStaticEntry", "clusterstaticentries"),
  spire("ClusterFederatedTrustDomain", "clusterfederatedtrustdomains"),
  {
    kind: "WorkloadIdentity",
    group: "assay.dev",
    version: "v1alpha1",
    plural: "workloadidentities",
  },
];

function spire(kind: ResourceKind, plural: string): ResourceType {
  return { kind, group: "spire.spiffe.io", version: "v1alpha1", plural };
}

/** What every resource has. */
export interface Resource {
  readonly kind: ResourceKind;
  readonly meta: ResourceMeta;
  /** Which registrar is to act on it; empty for any that takes resources without a class. */
  readonly className: string;
}

/** The resource in one word, for logs, conditions and plans: "WorkloadIdentity shop/web". */
export function nameOfResource({ kind, meta }: Pick<Resource, "kind" | "meta">): string {
  return `${kind} ${meta.namespace === "" ? "" : `${meta.namespace}/`}${meta.name}`;
}

/** {@link nameOfResource} of the resource that an entry came from. */
export function nameOfOrigin({ kind, namespace, name }: EntryOrigin): string {
  return `${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`;
}

/** The resource as the origin of entries. */
export function originOf({ kind, meta }: Resource, cluster: string): EntryOrigin {
  const { namespace, name, uid, generation } = meta;
  return { kind, cluster, namespace, name, uid, generation };
}

/** The order in which resources come first when they want the same: the older one, then by name. */
export function compareResources(a: Resource, b: Resource): number {
  return (
    compareTexts(a.meta.createdAt, b.meta.createdAt) ||
    compareTexts(a.kind, b.kind) ||
    compareTexts(a.meta.namespace, b.meta.namespace) ||
    compareTexts(a.meta.name, b.meta.name)
  );
}

function compareTexts(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
