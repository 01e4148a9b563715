import { hash, type KeyObject } from "node:crypto";
import { SpiffeError } from "../error.ts";
import type { SpiffeId } from "../id/spiffe-id.ts";
import { createJws, isSignedWith, parseJws } from "../jwt/jws.ts";
import { type JwsAlgorithm, signWithKey } from "../jwt/jws-algorithm.ts";
import { checkLifetime, readDate, readExpiry } from "./jwt-claims.ts";
import type { UnprovenWitSvid } from "./wit-svid.ts";

// The WIMSE workload proof token (draft-ietf-wimse-wpt), one of the ways to show a WIT-SVID (WIT-SVID 5). A draft: its
// names may still change.

const MAX_PROOF_LIFETIME_SECONDS = 300;
const DEFAULT_PROOF_LEEWAY_SECONDS = 5;

/** A peer that showed a WIT-SVID and proved to hold the key it confirms. */
export interface ProvenWitSvid {
  readonly id: SpiffeId;
  readonly wit: UnprovenWitSvid;
  /** `jti` of the proof. A verifier that wants proofs to be used once remembers it until `expiresAt`. */
  readonly proofId: string;
  readonly expiresAt: Date;
}

/** The request that a proof belongs to. */
export interface ProofContext {
  /** URI of the request without query and fragment, from configuration and not from the Host header. */
  readonly audience: string;
  /** The OAuth access token that is sent along, if there is one. */
  readonly accessToken?: string;
  /** The transaction token that is sent along, if there is one. */
  readonly transactionToken?: string;
}

/**
 * Checks the proof that belongs to a WIT-SVID: made with the confirmed key and exactly the confirmed algorithm, for this
 * WIT-SVID, this request and the tokens in it, and not outlived.
 *
 * @param wit from verifyWitSvid, never from readWitSvid
 * @param leewaySeconds for `exp` and `nbf` of the proof; default 5
 * @throws {SpiffeError} the codes of parseJws, "jws_type" | "jws_algorithm" | "jws_signature" | "jwt_audience" |
 *   "jwt_claims" | "jwt_expired" | "jwt_not_yet_valid" | "wit_confirmation" when the proof is for something else
 */
export async function verifyWorkloadProof(
  wit: UnprovenWitSvid,
  proof: string,
  context: ProofContext,
  now: Date,
  leewaySeconds: number = DEFAULT_PROOF_LEEWAY_SECONDS,
): Promise<ProvenWitSvid> {
  const jws = parseJws(proof);
  const claims = jws.payload;
  if (jws.type !== "wpt+jwt") {
    throw new SpiffeError("jws_type", 'token header "typ" must be "wpt+jwt"');
  }
  if (jws.algorithm !== wit.confirmationAlgorithm) {
    throw new SpiffeError("jws_algorithm", "proof was made with another algorithm than confirmed");
  }
  if (claims["aud"] !== context.audience) {
    throw new SpiffeError("jwt_audience", "proof is meant for another request");
  }
  const expiresAt = readExpiry(claims);
  checkLifetime({ expiresAt, notBefore: readDate(claims, "nbf") }, now, {
    expirySeconds: leewaySeconds,
    notBeforeSeconds: leewaySeconds,
  });
  if (expiresAt.getTime() > now.getTime() + MAX_PROOF_LIFETIME_SECONDS * 1000) {
    throw new SpiffeError("jwt_claims", "proof lives too long");
  }
  const proofId = claims["jti"];
  if (typeof proofId !== "string" || proofId === "") {
    throw new SpiffeError("jwt_claims", '"jti" must be a text');
  }
  const { accessToken, transactionToken } = context;
  if (
    claims["wth"] !== tokenHash(wit.token) ||
    claims["ath"] !== (accessToken === undefined ? undefined : tokenHash(accessToken)) ||
    claims["tth"] !== (transactionToken === undefined ? undefined : tokenHash(transactionToken)) ||
    "oth" in claims
  ) {
    throw new SpiffeError("wit_confirmation", "proof is bound to other tokens");
  }
  if (!(await isSignedWith(jws, wit.confirmationKey))) {
    throw new SpiffeError("jws_signature", "proof was not made with the confirmed key");
  }
  return { id: wit.id, wit, proofId, expiresAt };
}

/** What a proof is made from. */
export interface ProofRequest extends ProofContext {
  readonly wit: UnprovenWitSvid;
  /** The private half of the confirmed key. */
  readonly privateKey: KeyObject;
  /** At most 60 seconds away, as a rule. */
  readonly expiresAt: Date;
  /** Unique and not to be guessed: at least 16 random bytes. */
  readonly proofId: string;
}

/** Makes the proof for one request. */
export function createWorkloadProof(request: ProofRequest): Promise<string> {
  const { wit, privateKey, audience, accessToken, transactionToken } = request;
  const algorithm: JwsAlgorithm = wit.confirmationAlgorithm;
  const claims = {
    aud: audience,
    exp: Math.floor(request.expiresAt.getTime() / 1000),
    jti: request.proofId,
    wth: tokenHash(wit.token),
    ath: accessToken === undefined ? undefined : tokenHash(accessToken),
    tth: transactionToken === undefined ? undefined : tokenHash(transactionToken),
  };
  return createJws({ alg: algorithm, typ: "wpt+jwt" }, claims, (signingInput) =>
    signWithKey(privateKey, algorithm, signingInput),
  );
}

/** A WIT-SVID and its proof, as they came in a request. */
export interface WitPresentation {
  readonly wit: string;
  readonly proof: string;
}

/**
 * Takes a WIT-SVID and its proof from the header fields of an HTTP request; undefined unless each is there exactly once.
 * The Authorization field is never looked at: a WIT-SVID is no bearer token (WIT-SVID 5).
 *
 * @param headers all values of each field by lower-case name, such as `headersDistinct` of node:http
 */
export function readWitPresentation(
  headers: Readonly<Record<string, readonly string[] | undefined>>,
): WitPresentation | undefined {
  const [wit, ...moreWits] = headers["workload-identity-token"] ?? [];
  const [proof, ...moreProofs] = headers["workload-proof-token"] ?? [];
  if (wit === undefined || proof === undefined) return undefined;
  return moreWits.length + moreProofs.length === 0 ? { wit, proof } : undefined;
}

function tokenHash(token: string): string {
  return hash("sha256", token, "base64url");
}
