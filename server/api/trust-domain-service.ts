/** The public API for federation relationships. There are none yet: bundles of others are set by hand. */
import { decodeTrustDomain } from "../../proto/convert/id.ts";
import { TrustDomain } from "../../proto/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts";
import { notFound, unimplemented } from "../../runtime/errors/status-error.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import type { Caller } from "./caller.ts";

export function trustDomainService(): Registration<Caller> {
  const unsupported = async (): Promise<never> => {
    throw unimplemented(
      "federation relationships are not supported: set the bundle of the other trust domain instead",
    );
  };
  return service<typeof TrustDomain, Caller>(TrustDomain, {
    listFederationRelationships: async () => ({ federationRelationships: [] }),
    getFederationRelationship: async ({ trustDomain }) => {
      decodeTrustDomain("trust_domain", trustDomain);
      throw notFound("federation relationship does not exist");
    },
    batchCreateFederationRelationship: unsupported,
    batchUpdateFederationRelationship: unsupported,
    batchDeleteFederationRelationship: unsupported,
    refreshBundle: unsupported,
  });
}
