import { SpiffeError } from "../error.ts";
import { MAX_FOREIGN_SPIFFE_ID_BYTES, SpiffeId } from "../id/spiffe-id.ts";
import { isJsonArray, type JsonObject } from "../json/strict-json.ts";

/** How far the clocks of issuer and verifier may differ, in seconds. */
export interface Leeway {
  /** For `exp`. */
  readonly expirySeconds: number;
  /** For `nbf`. */
  readonly notBeforeSeconds: number;
}

const MAX_DATE_SECONDS = 8_640_000_000_000;

/**
 * The SPIFFE ID in `sub` (JWT-SVID 3.1, WIT-SVID 3.1).
 *
 * @throws {SpiffeError} "jwt_subject"
 */
export function readSubject(claims: JsonObject): SpiffeId {
  const sub = claims["sub"];
  if (typeof sub !== "string") throw new SpiffeError("jwt_subject", '"sub" must be a text');
  try {
    return SpiffeId.parse(sub, MAX_FOREIGN_SPIFFE_ID_BYTES);
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw new SpiffeError("jwt_subject", `"sub": ${cause.message}`, { cause });
  }
}

/**
 * The values of `aud`, which is one text or several (RFC 7519 4.1.3).
 *
 * @throws {SpiffeError} "jwt_audience" when it is missing, empty or something else
 */
export function readAudience(claims: JsonObject): readonly string[] {
  const aud = claims["aud"];
  const values = isJsonArray(aud) ? aud : [aud];
  const audience = values.filter((value) => typeof value === "string");
  if (audience.length === 0 || audience.length !== values.length) {
    throw new SpiffeError("jwt_audience", '"aud" must be one text or several');
  }
  return audience;
}

/**
 * A claim that is a NumericDate (RFC 7519 2): seconds since 1970, perhaps with a fraction.
 *
 * @throws {SpiffeError} "jwt_claims" when it is there and is no date
 */
export function readDate(claims: JsonObject, name: string): Date | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  const isNumber = typeof value === "number" || typeof value === "bigint";
  const seconds = isNumber ? Number(value) : Number.NaN;
  if (!(Math.abs(seconds) <= MAX_DATE_SECONDS)) {
    throw new SpiffeError("jwt_claims", `"${name}" must be a time in seconds`);
  }
  return new Date(seconds * 1000);
}

/**
 * The end of a token's life.
 *
 * @throws {SpiffeError} "jwt_claims" when it is missing or no date
 */
export function readExpiry(claims: JsonObject): Date {
  const expiresAt = readDate(claims, "exp");
  if (expiresAt === undefined) throw new SpiffeError("jwt_claims", '"exp" is missing');
  return expiresAt;
}

/**
 * Checks that a token is valid at a time. `iat` does not matter for that (RFC 7519 4.1.6, WIT-SVID 3.6).
 *
 * @throws {SpiffeError} "jwt_expired" | "jwt_not_yet_valid"
 */
export function checkLifetime(
  { expiresAt, notBefore }: { readonly expiresAt: Date; readonly notBefore: Date | undefined },
  now: Date,
  leeway: Leeway,
): void {
  if (now.getTime() >= expiresAt.getTime() + leeway.expirySeconds * 1000) {
    throw new SpiffeError("jwt_expired", "token has expired");
  }
  if (
    notBefore !== undefined &&
    now.getTime() < notBefore.getTime() - leeway.notBeforeSeconds * 1000
  ) {
    throw new SpiffeError("jwt_not_yet_valid", "token is not valid yet");
  }
}
