import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ValidateJWTSVIDResponseSchema } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { invalidArgument } from "../../runtime/errors/status-error.ts";
import { BundleSet } from "../../spiffe/bundle/bundle-set.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import { type JwtSvid, verifyJwtSvid } from "../../spiffe/svid/jwt-svid.ts";
import type { CachedBundle } from "../cache/bundle-cache.ts";
import type { WorkloadView } from "../cache/workload-view.ts";

/** The claims of RFC 7519, which mean the same whoever issued the token. */
const registeredClaims = new Set(["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]);

/**
 * Validates a token for one audience against the bundles that the caller may use (Workload API 6.2.3) and the limits of the
 * relationship with its trust domain, also where the caller may have the bundle without them.
 * Private claims of another trust domain are left out: nobody here has agreed on what they mean.
 *
 * @throws {StatusError} INVALID_ARGUMENT with the code of the rule that the token breaks
 */
export async function validateJwtSvid(
  token: string,
  audience: string,
  view: WorkloadView,
  now: Date,
): Promise<MessageInitShape<typeof ValidateJWTSVIDResponseSchema>> {
  const known = bundlesOf(view);
  const svid = await orInvalid(async () => {
    const bundles = new BundleSet(known.map(({ parsed }) => parsed));
    const verified = await verifyJwtSvid(token, bundles, [audience], now);
    const { name } = verified.id.trustDomain;
    const limits = known.find(({ trustDomain }) => trustDomain === name)?.limits;
    (limits ?? FederationLimits.NONE).check(verified.id, now, audience);
    return verified;
  });
  const isOwn = svid.id.trustDomain.name === view.bundle?.trustDomain;
  const claims = Object.entries(svid.claims).filter(([n]) => isOwn || registeredClaims.has(n));
  return {
    spiffeId: svid.id.toString(),
    // One audience may stand as a bare string in the token; callers always get a list.
    claims: { ...Object.fromEntries(claims), aud: [...svid.audience] },
  };
}

function bundlesOf(view: WorkloadView): readonly CachedBundle[] {
  const own = view.bundle === undefined ? [] : [view.bundle];
  return [...own, ...view.federatedBundles.values(), ...view.limitedBundles.values()];
}

async function orInvalid(verify: () => Promise<JwtSvid>): Promise<JwtSvid> {
  try {
    return await verify();
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw invalidArgument(`svid is not valid: ${cause.message}`, { reason: cause.code, cause });
  }
}
