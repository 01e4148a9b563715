import * as z from "zod";
import type { FederationLimits } from "../../../spiffe/bundle/federation-limits.ts";
import type { SpiffeId } from "../../../spiffe/id/spiffe-id.ts";
import { TrustDomain } from "../../../spiffe/id/trust-domain.ts";
import { federationLimitsSchema } from "./federation-annotations.ts";
import { classNameSchema, spiffeIdSchema } from "./fields.ts";
import type { Resource } from "./resource.ts";
import { resourceMetaSchema } from "./resource-meta.ts";

/** A trust domain that the server is to federate with. */
export interface FederatedTrustDomain extends Resource {
  readonly kind: "ClusterFederatedTrustDomain";
  readonly trustDomain: string;
  readonly bundleEndpointUrl: string;
  readonly profile:
    | { readonly type: "https_web" }
    | { readonly type: "https_spiffe"; readonly endpointId: SpiffeId };
  /** SPIFFE bundle format; empty when the resource has none. */
  readonly bundle: string;
  /** By its annotations; for everything without them. */
  readonly limits: FederationLimits;
}

const url = z.string().max(2048).refine(isEndpointUrl, {
  error: "expected an https URL without user information",
});

/** ClusterFederatedTrustDomain of spire.spiffe.io/v1alpha1. */
export const federatedTrustDomainSchema: z.ZodType<FederatedTrustDomain> = z
  .object({
    metadata: z.intersection(
      resourceMetaSchema,
      federationLimitsSchema.transform((limits) => ({ limits })),
    ),
    spec: z.strictObject({
      trustDomain: z.string().superRefine((name, context) => {
        try {
          TrustDomain.parse(name);
        } catch (err) {
          context.addIssue(err instanceof Error ? err.message : "invalid");
        }
      }),
      bundleEndpointURL: url,
      bundleEndpointProfile: z.discriminatedUnion("type", [
        z.strictObject({
          type: z.literal("https_web"),
          endpointSPIFFEID: z.literal("").optional(),
        }),
        z.strictObject({ type: z.literal("https_spiffe"), endpointSPIFFEID: spiffeIdSchema }),
      ]),
      trustDomainBundle: z.string().max(1_048_576).default(""),
      className: classNameSchema,
    }),
  })
  .transform(
    ({ metadata: { limits, ...metadata }, spec }): FederatedTrustDomain => ({
      kind: "ClusterFederatedTrustDomain",
      meta: { ...metadata, namespace: "" },
      className: spec.className,
      trustDomain: spec.trustDomain,
      bundleEndpointUrl: spec.bundleEndpointURL,
      profile:
        spec.bundleEndpointProfile.type === "https_web"
          ? { type: "https_web" }
          : { type: "https_spiffe", endpointId: spec.bundleEndpointProfile.endpointSPIFFEID },
      bundle: spec.trustDomainBundle,
      limits,
    }),
  );

function isEndpointUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return protocol === "https:" && username === "" && password === "";
}
