import type { LabelSelector } from "../label-selector.ts";
import type { Template } from "../template/template.ts";
import type { Resource } from "./resource.ts";

/** A resource that gives pods an identity, whatever its kind: which pods, which identity, and how it is issued. */
export interface PodRule extends Resource {
  readonly kind: "ClusterSPIFFEID" | "WorkloadIdentity";
  readonly idTemplate: Template;
  /** What the rendered ID begins with, when the resource gives only what follows. */
  readonly idPrefix: string;
  /** The only namespace whose pods it may select; undefined for all. */
  readonly onlyNamespace: string | undefined;
  readonly podSelector: LabelSelector;
  readonly namespaceSelector: LabelSelector;
  readonly dnsNameTemplates: readonly Template[];
  readonly workloadSelectorTemplates: readonly Template[];
  /** Zero takes the default. */
  readonly x509SvidTtlSeconds: number;
  /** Zero takes the default. */
  readonly jwtSvidTtlSeconds: number;
  readonly federatesWith: readonly string[];
  readonly admin: boolean;
  readonly downstream: boolean;
  /** Adds the names of the services that the pod is behind. */
  readonly autoPopulateDnsNames: boolean;
  /** Counts only for pods that no other rule gives an identity. */
  readonly isFallback: boolean;
  readonly hint: string;
}
