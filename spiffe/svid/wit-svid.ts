import type { KeyObject } from "node:crypto";
import type { BundleSource } from "../bundle/bundle.ts";
import { SpiffeError } from "../error.ts";
import type { SpiffeId } from "../id/spiffe-id.ts";
import { type PlainJsonObject, toPlainJsonObject } from "../json/plain-json.ts";
import { isJsonObject, type JsonObject } from "../json/strict-json.ts";
import { hasPrivateMembers, parsePublicJwk } from "../jwt/jwk.ts";
import { type Jws, parseJws } from "../jwt/jws.ts";
import { isJwsAlgorithm, isKeyForAlgorithm, type JwsAlgorithm } from "../jwt/jws-algorithm.ts";
import { checkLifetime, readDate, readExpiry, readSubject } from "./jwt-claims.ts";
import { checkTokenSignature } from "./token-signature.ts";

/** Leeway for `exp` of a WIT-SVID unless the verifier says otherwise. */
export const DEFAULT_WIT_LEEWAY_SECONDS = 60;

/** Leeway for `nbf`, for which WIT-SVID 3.5 names none. */
export const DEFAULT_WIT_NOT_BEFORE_LEEWAY_SECONDS = 5;

/**
 * What a WIT-SVID says (WIT-SVID 3). By itself it identifies nobody: whoever presents it must prove that they hold the
 * key it confirms (WIT-SVID 4, 7.1), see verifyWorkloadProof.
 */
export interface UnprovenWitSvid {
  readonly id: SpiffeId;
  readonly expiresAt: Date;
  readonly issuedAt: Date | undefined;
  readonly notBefore: Date | undefined;
  readonly keyId: string;
  /** The key that the presenter must prove to hold, and the only algorithm for that. */
  readonly confirmationKey: KeyObject;
  readonly confirmationAlgorithm: JwsAlgorithm;
  /** All claims, the ones above included. */
  readonly claims: PlainJsonObject;
  readonly token: string;
}

export interface WitVerifyOptions {
  /** For `exp`, in seconds; default 60. */
  readonly leewaySeconds?: number;
  /** For `nbf`, in seconds; default 5. */
  readonly notBeforeLeewaySeconds?: number;
}

/**
 * Verifies a WIT-SVID: form, type, algorithm, signature by a WIT authority of the subject's own trust domain, lifetime,
 * and that it confirms a usable key. The result still lacks the proof of possession.
 *
 * @throws {SpiffeError} the codes of {@link readWitSvid}, "jwt_expired" | "jwt_not_yet_valid" | "bundle_not_found" |
 *   "jws_key_id" | "jws_signature"; "federation_id" | "federation_ended" beyond the limits that go with the bundle
 */
export async function verifyWitSvid(
  token: string,
  bundles: BundleSource,
  now: Date,
  options: WitVerifyOptions = {},
): Promise<UnprovenWitSvid> {
  const { jws, wit } = read(token);
  checkLifetime(wit, now, {
    expirySeconds: options.leewaySeconds ?? DEFAULT_WIT_LEEWAY_SECONDS,
    notBeforeSeconds: options.notBeforeLeewaySeconds ?? DEFAULT_WIT_NOT_BEFORE_LEEWAY_SECONDS,
  });
  const { trustDomain } = wit.id;
  await checkTokenSignature(jws, trustDomain, bundles, (bundle) => bundle.witAuthorities);
  bundles.limitsFor?.(trustDomain)?.check(wit.id, now);
  return wit;
}

/**
 * Reads a WIT-SVID without verifying anything of it but its form, for the workload that was given it.
 *
 * @throws {SpiffeError} "jws_malformed" | "jws_too_large" | "jws_header" | "jws_algorithm" | "jws_type" | "jws_critical" |
 *   "jws_key_id" | "jws_signature" when there is none | "jwt_subject" | "jwt_audience" | "jwt_claims" |
 *   "wit_confirmation"
 */
export function readWitSvid(token: string): UnprovenWitSvid {
  return read(token).wit;
}

function read(token: string): { readonly jws: Jws; readonly wit: UnprovenWitSvid } {
  const jws = parseJws(token);
  const { type, keyId, payload } = jws;
  if (type !== "wit+jwt") {
    throw new SpiffeError("jws_type", 'token header "typ" must be "wit+jwt"');
  }
  if (keyId === undefined || keyId === "") {
    throw new SpiffeError("jws_key_id", 'token header "kid" is missing');
  }
  // WIT-SVID 3.8. Being there is enough: an empty audience is one too.
  if ("aud" in payload)
    throw new SpiffeError("jwt_audience", "a WIT-SVID must not have an audience");
  const wit: UnprovenWitSvid = {
    id: readSubject(payload),
    expiresAt: readExpiry(payload),
    issuedAt: readDate(payload, "iat"),
    notBefore: readDate(payload, "nbf"),
    keyId,
    ...readConfirmation(payload),
    claims: toPlainJsonObject(payload),
    token,
  };
  return { jws, wit };
}

// RFC 7800 3: one key, given as a public JWK. WIT-SVID 3.2: the JWK names its algorithm.
function readConfirmation(
  payload: JsonObject,
): Pick<UnprovenWitSvid, "confirmationKey" | "confirmationAlgorithm"> {
  const cnf = payload["cnf"];
  if (!isJsonObject(cnf)) throw unconfirmed('"cnf" must be an object');
  if ("jwe" in cnf || "jku" in cnf) throw unconfirmed('"cnf" must name one key');
  const jwk = cnf["jwk"];
  if (!isJsonObject(jwk)) throw unconfirmed('"cnf" must hold a JWK');
  const algorithm = jwk["alg"];
  if (!isJwsAlgorithm(algorithm)) throw unconfirmed("its key names no algorithm that is allowed");
  if (hasPrivateMembers(jwk)) throw unconfirmed("it holds a private key");
  const confirmationKey = readKey(jwk);
  if (!isKeyForAlgorithm(confirmationKey, algorithm)) {
    throw unconfirmed("its key is not one for the algorithm it names");
  }
  return { confirmationKey, confirmationAlgorithm: algorithm };
}

function readKey(jwk: JsonObject): KeyObject {
  try {
    return parsePublicJwk(jwk);
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw new SpiffeError("wit_confirmation", `WIT-SVID: ${cause.message}`, { cause });
  }
}

function unconfirmed(reason: string): SpiffeError {
  return new SpiffeError("wit_confirmation", `WIT-SVID: ${reason}`);
}
