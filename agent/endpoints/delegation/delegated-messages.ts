/** From views to the messages of the Delegated Identity API. Every message is the full state. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { encodeUnixSeconds } from "../../../proto/convert/field.ts";
import { encodeSpiffeId } from "../../../proto/convert/id.ts";
import type {
  SubscribeToJWTBundlesResponseSchema,
  SubscribeToX509BundlesResponseSchema,
  SubscribeToX509SVIDsResponseSchema,
} from "../../../proto/gen/spire/api/agent/delegatedidentity/v1/delegatedidentity_pb.ts";
import type { JWTSVIDSchema } from "../../../proto/gen/spire/api/types/jwtsvid_pb.ts";
import { SpiffeId } from "../../../spiffe/id/spiffe-id.ts";
import { parseConcatenatedCertificates } from "../../../spiffe/x509/certificate.ts";
import type { CachedBundle } from "../../cache/bundle-cache.ts";
import type { JwtSvid } from "../../cache/token-cache.ts";
import type { WorkloadView } from "../../cache/workload-view.ts";
import { byTrustDomainId, jwtKeySet } from "../workload-messages.ts";

export function delegatedX509Svids(
  view: WorkloadView,
): MessageInitShape<typeof SubscribeToX509SVIDsResponseSchema> {
  return {
    x509Svids: view.identities.map((identity) => ({
      x509Svid: {
        certChain: parseConcatenatedCertificates(identity.certificateChainDer).map(
          ({ der }) => der,
        ),
        id: encodeSpiffeId(SpiffeId.parse(identity.spiffeId)),
        expiresAt: encodeUnixSeconds(identity.expiresAt),
        hint: identity.hint,
      },
      x509SvidKey: identity.privateKeyPkcs8,
    })),
    federatesWith: [...view.federatedBundles.keys()].sort().map((name) => `spiffe://${name}`),
  };
}

export function delegatedJwtSvid(svid: JwtSvid): MessageInitShape<typeof JWTSVIDSchema> {
  return {
    token: svid.token,
    id: encodeSpiffeId(SpiffeId.parse(svid.spiffeId)),
    expiresAt: encodeUnixSeconds(svid.expiresAt),
    issuedAt: encodeUnixSeconds(svid.issuedAt),
    hint: svid.hint,
  };
}

export function delegatedX509Bundles(
  bundles: readonly CachedBundle[],
): MessageInitShape<typeof SubscribeToX509BundlesResponseSchema> {
  return { caCertificates: byTrustDomainId(bundles, (bundle) => bundle.x509AuthoritiesDer) };
}

export function delegatedJwtBundles(
  bundles: readonly CachedBundle[],
): MessageInitShape<typeof SubscribeToJWTBundlesResponseSchema> {
  return { bundles: byTrustDomainId(bundles, jwtKeySet) };
}
