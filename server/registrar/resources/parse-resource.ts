import * as z from "zod";
import { ConfigError, type ConfigProblem, decodeConfig } from "../../../runtime/config/load.ts";
import {
  type FederatedTrustDomain,
  federatedTrustDomainSchema,
} from "./cluster-federated-trust-domain.ts";
import { clusterSpiffeIdSchema } from "./cluster-spiffe-id.ts";
import { clusterStaticEntrySchema, type StaticEntry } from "./cluster-static-entry.ts";
import type { PodRule } from "./pod-rule.ts";
import type { ResourceKind } from "./resource.ts";
import { type ResourceMeta, resourceMetaSchema } from "./resource-meta.ts";
import { workloadIdentitySchema } from "./workload-identity.ts";

/** A resource that says something the registrar understands. */
export type ParsedResource = PodRule | StaticEntry | FederatedTrustDomain;

/** What a resource says, or all that is wrong with it. */
export type ResourceReading =
  | { readonly ok: true; readonly resource: ParsedResource }
  | {
      readonly ok: false;
      readonly kind: ResourceKind;
      readonly meta: ResourceMeta;
      /** As far as it can be read; else empty. */
      readonly className: string;
      readonly problems: readonly ConfigProblem[];
    };

// Whose resource it is has to be known also of one that says nothing valid.
const envelopeSchema = z.object({
  metadata: resourceMetaSchema,
  spec: z.object({ className: z.string().catch("") }).catch({ className: "" }),
});

/**
 * Reads a resource of the API. What is wrong with one is a result, because it is told in the resource's own status while the
 * others go on.
 *
 * @throws {z.ZodError} when it is no object of the API at all
 */
export function parseResource(
  kind: ResourceKind,
  value: unknown,
  trustDomain: string,
): ResourceReading {
  const { metadata: meta, spec } = envelopeSchema.parse(value);
  const { className } = spec;
  const schema: z.ZodType<ParsedResource> = schemaOf(kind, trustDomain);
  try {
    const resource = decodeConfig(schema, value, `${kind} ${meta.name}`);
    const problem = ownTrustDomainProblem(resource, trustDomain);
    if (problem === undefined) return { ok: true, resource };
    return { ok: false, kind, meta, className, problems: [problem] };
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err;
    return { ok: false, kind, meta, className, problems: err.problems };
  }
}

function schemaOf(kind: ResourceKind, trustDomain: string): z.ZodType<ParsedResource> {
  switch (kind) {
    case "ClusterSPIFFEID":
      return clusterSpiffeIdSchema;
    case "ClusterStaticEntry":
      return clusterStaticEntrySchema;
    case "ClusterFederatedTrustDomain":
      return federatedTrustDomainSchema;
    case "WorkloadIdentity":
      return workloadIdentitySchema(trustDomain);
  }
}

function ownTrustDomainProblem(
  resource: ParsedResource,
  trustDomain: string,
): ConfigProblem | undefined {
  const others =
    resource.kind === "ClusterFederatedTrustDomain"
      ? { path: "spec.trustDomain", names: [resource.trustDomain] }
      : { path: "spec.federatesWith", names: resource.federatesWith };
  if (!others.names.includes(trustDomain)) return undefined;
  return { path: others.path, message: "expected another trust domain than the server's own" };
}
