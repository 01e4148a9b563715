import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ValidateJWTSVIDResponseSchema } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { invalidArgument } from "../../runtime/errors/status-error.ts";
import { BundleSet } from "../../spiffe/bundle/bundle-set.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import { type JwtSvid, verifyJwtSvid } from "../../spiffe/svid/jwt-svid.ts";
import type { WorkloadView } from "../cache/workload-view.ts";
import { allBundles } from "./workload-messages.ts";

/** The claims of RFC 7519, which mean the same whoever issued the token. */
const registeredClaims = new Set(["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]);

/**
 * Validates a token for one audience against the bundles that the caller may use (Workload API 6.2.3).
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
  const bundles = new BundleSet(allBundles(view).map(({ parsed }) => parsed));
  const svid = await verify(token, bundles, audience, now);
  const isOwn = svid.id.trustDomain.name === view.bundle?.trustDomain;
  const claims = Object.entries(svid.claims).filter(([n]) => isOwn || registeredClaims.has(n));
  return {
    spiffeId: svid.id.toString(),
    // One audience may stand as a bare string in the token; callers always get a list.
    claims: { ...Object.fromEntries(claims), aud: [...svid.audience] },
  };
}

async function verify(
  token: string,
  bundles: BundleSet,
  audience: string,
  now: Date,
): Promise<JwtSvid> {
  try {
    return await verifyJwtSvid(token, bundles, [audience], now);
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw invalidArgument(`svid is not valid: ${cause.message}`, { reason: cause.code, cause });
  }
}
