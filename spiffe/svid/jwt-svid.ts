import type { BundleSource } from "../bundle/bundle.ts";
import type { FederationLimits } from "../bundle/federation-limits.ts";
import { SpiffeError } from "../error.ts";
import type { SpiffeId } from "../id/spiffe-id.ts";
import { type PlainJsonObject, toPlainJsonObject } from "../json/plain-json.ts";
import { type Jws, parseJws } from "../jwt/jws.ts";
import { checkLifetime, readAudience, readDate, readExpiry, readSubject } from "./jwt-claims.ts";
import { checkTokenSignature } from "./token-signature.ts";

/** Leeway for `exp` and `nbf` of a JWT-SVID unless the verifier says otherwise. */
export const DEFAULT_JWT_LEEWAY_SECONDS = 60;

/** What a JWT-SVID says (JWT-SVID 3). Where it came from tells whether that has been verified. */
export interface JwtSvid {
  readonly id: SpiffeId;
  readonly audience: readonly string[];
  readonly expiresAt: Date;
  readonly issuedAt: Date | undefined;
  readonly notBefore: Date | undefined;
  /** Undefined when the token names no key. */
  readonly keyId: string | undefined;
  /** All claims, the ones above included. */
  readonly claims: PlainJsonObject;
  /** The token itself, a secret. Not fit as a key of anything: one signature can have several texts. */
  readonly token: string;
}

export interface JwtVerifyOptions {
  /** How far the issuer's clock may differ from ours; default 60. */
  readonly leewaySeconds?: number;
}

/**
 * Verifies a JWT-SVID (JWT-SVID 4, Workload API 6.3): form, algorithm, type, signature by an authority of the subject's
 * own trust domain, audience and lifetime.
 *
 * A subject without a path is accepted, since the standard forbids it to issuers of X.509 leaves only.
 *
 * @param token a bare token, without `Bearer`
 * @param audiences what the verifier calls itself; the token must name at least one of them
 * @throws {SpiffeError} the codes of {@link readJwtSvid}, "jwt_audience" | "jwt_expired" | "jwt_not_yet_valid" |
 *   "bundle_not_found" | "jws_key_id" | "jws_signature"; "federation_id" | "federation_audience" | "federation_ended" beyond
 *   the limits that go with the bundle
 * @throws {TypeError} when `audiences` is empty or holds an empty text, because that would accept tokens meant for others
 */
export async function verifyJwtSvid(
  token: string,
  bundles: BundleSource,
  audiences: readonly string[],
  now: Date,
  options: JwtVerifyOptions = {},
): Promise<JwtSvid> {
  checkAudiences(audiences);
  const { jws, svid } = read(token);
  checkJwtSvidClaims(svid, audiences, now, options);
  const { trustDomain } = svid.id;
  await checkTokenSignature(jws, trustDomain, bundles, (bundle) => bundle.jwtAuthorities);
  checkLimits(svid, bundles.limitsFor?.(trustDomain), audiences, now);
  return svid;
}

// Of the names that verifier and token agree on, one has to be within the limits.
function checkLimits(
  { id, audience }: JwtSvid,
  limits: FederationLimits | undefined,
  audiences: readonly string[],
  now: Date,
): void {
  if (limits === undefined) return;
  const shared = audiences.filter((each) => audience.includes(each));
  limits.check(id, now, shared.find((each) => limits.admitsAudience(each)) ?? shared[0]);
}

/**
 * Reads a JWT-SVID without verifying anything of it but its form. For a workload that was given the token and wants to
 * know how long it lasts; never for one that was shown it.
 *
 * @throws {SpiffeError} "jws_malformed" | "jws_too_large" | "jws_header" | "jws_algorithm" | "jws_type" | "jws_critical" |
 *   "jws_signature" when there is none | "jwt_subject" | "jwt_audience" | "jwt_claims"
 */
export function readJwtSvid(token: string): JwtSvid {
  return read(token).svid;
}

/**
 * Checks audience and lifetime of a token whose signature is somebody else's business.
 *
 * @throws {SpiffeError} "jwt_audience" | "jwt_expired" | "jwt_not_yet_valid"
 * @throws {TypeError} as {@link verifyJwtSvid}
 */
export function checkJwtSvidClaims(
  svid: JwtSvid,
  audiences: readonly string[],
  now: Date,
  options: JwtVerifyOptions = {},
): void {
  checkAudiences(audiences);
  if (!audiences.some((audience) => svid.audience.includes(audience))) {
    throw new SpiffeError("jwt_audience", "token is meant for another audience");
  }
  const seconds = options.leewaySeconds ?? DEFAULT_JWT_LEEWAY_SECONDS;
  checkLifetime(svid, now, { expirySeconds: seconds, notBeforeSeconds: seconds });
}

function read(token: string): { readonly jws: Jws; readonly svid: JwtSvid } {
  const jws = parseJws(token);
  const { type, keyId, payload } = jws;
  // JWT-SVID 2.3: exactly one of these two, in exactly this case.
  if (type !== undefined && type !== "JWT" && type !== "JOSE") {
    throw new SpiffeError("jws_type", 'token header "typ" must be "JWT" or "JOSE"');
  }
  const svid: JwtSvid = {
    id: readSubject(payload),
    audience: readAudience(payload),
    expiresAt: readExpiry(payload),
    issuedAt: readDate(payload, "iat"),
    notBefore: readDate(payload, "nbf"),
    keyId,
    claims: toPlainJsonObject(payload),
    token,
  };
  return { jws, svid };
}

function checkAudiences(audiences: readonly string[]): void {
  if (audiences.length === 0 || audiences.includes("")) {
    throw new TypeError("a verifier of JWT-SVIDs needs at least one audience, and no empty one");
  }
}
