import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, equals } from "@bufbuild/protobuf";
import { encodeBundle } from "../../proto/convert/bundle.ts";
import { encodeFederationLimits } from "../../proto/convert/federation-limits.ts";
import {
  type Admin,
  type Federation,
  FederationSchema,
} from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { Client } from "../../runtime/rpc/client.ts";
import { parseBundleDocument } from "../../spiffe/bundle/bundle-document.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import type { FederatedTrustDomain } from "./resources/cluster-federated-trust-domain.ts";

/** What the registrar asks of the server about foreign trust domains. All throw StatusErrors. */
export interface FederationApi {
  /** The relationships that came from this registrar's cluster, by trust domain. */
  listOwn(signal: AbortSignal): Promise<ReadonlyMap<string, Federation>>;
  /** Makes a relationship, or makes the one there is agree; `own` is what there is of ours. */
  apply(
    resource: FederatedTrustDomain,
    own: Federation | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  delete(trustDomain: string, signal: AbortSignal): Promise<void>;
}

/** The calls of the admin API that it takes. */
export type FederationCalls = Pick<
  Client<typeof Admin>,
  "createFederation" | "updateFederation" | "deleteFederation" | "listFederations"
>;

const TIMEOUT_MS = 30_000;

/** {@link FederationApi} over the admin API, wherever the server is. */
export function adminFederationApi(admin: FederationCalls, cluster: string): FederationApi {
  const options = (signal: AbortSignal) => ({ signal, timeoutMs: TIMEOUT_MS });
  return {
    listOwn: async (signal) => {
      const { federations } = await admin.listFederations({}, options(signal));
      return new Map(
        federations.flatMap(({ origin, federation }) =>
          origin === `cluster/${cluster}` && federation !== undefined
            ? [[federation.trustDomain, federation]]
            : [],
        ),
      );
    },
    apply: async (resource, own, signal) => {
      const federation = create(FederationSchema, federationOf(resource));
      if (own === undefined) {
        const request = { federation, ...bundleOf(resource) };
        await admin.createFederation(request, options(signal));
      } else if (!equals(FederationSchema, own, federation)) {
        await admin.updateFederation({ federation }, options(signal));
      }
    },
    delete: async (trustDomain, signal) => {
      await admin.deleteFederation({ trustDomain }, options(signal));
    },
  };
}

function federationOf({
  trustDomain,
  bundleEndpointUrl: url,
  profile,
  limits,
}: FederatedTrustDomain): MessageInitShape<typeof FederationSchema> {
  const endpointId = profile.type === "https_spiffe" ? profile.endpointId.toString() : "";
  return {
    trustDomain,
    endpoint: { profile: profile.type, url, endpointId },
    limits: encodeFederationLimits(trustDomain, limits),
  };
}

// Only to begin with: what was fetched since is newer.
function bundleOf({ trustDomain, bundle }: FederatedTrustDomain) {
  if (bundle === "") return {};
  const parsed = parseBundleDocument(TrustDomain.parse(trustDomain), bundle, { wit: true });
  return { bundle: encodeBundle(parsed.bundle) };
}
