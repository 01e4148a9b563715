import { createPublicKey, type KeyObject } from "node:crypto";
import { SpiffeError } from "../error.ts";
import { decodeBase64Url } from "../json/base64.ts";
import type { JsonObject } from "../json/strict-json.ts";
import { MIN_RSA_BITS } from "./jws-algorithm.ts";

/** The members of a public key in JWK form (RFC 7517, RFC 7518 6, RFC 8037), without `kid`, `use` and the like. */
export type PublicJwk =
  | { readonly kty: "RSA"; readonly n: string; readonly e: string }
  | { readonly kty: "EC"; readonly crv: JwkCurve; readonly x: string; readonly y: string }
  | { readonly kty: "OKP"; readonly crv: "Ed25519"; readonly x: string };

export type JwkCurve = "P-256" | "P-384" | "P-521";

const coordinateBytes: ReadonlyMap<unknown, { readonly crv: JwkCurve; readonly length: number }> =
  new Map([
    ["P-256", { crv: "P-256", length: 32 }],
    ["P-384", { crv: "P-384", length: 48 }],
    ["P-521", { crv: "P-521", length: 66 }],
  ]);
const ED25519_BYTES = 32;
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] as const;

/**
 * Reads the public key of a JWK and imports it: RSA of at least 2048 bits, EC on the three NIST curves, Ed25519. Members
 * that do not belong to the public key are not looked at; {@link hasPrivateMembers} tells whether there are any.
 *
 * @throws {SpiffeError} "jwk_unsupported" for kinds of keys that we do not use | "jwk_malformed" when members are missing
 *   or wrong
 */
export function parsePublicJwk(jwk: JsonObject): KeyObject {
  const members = readMembers(jwk);
  let key: KeyObject;
  try {
    key = createPublicKey({ key: { ...members }, format: "jwk" });
  } catch {
    throw new SpiffeError("jwk_malformed", "JWK is not a valid public key");
  }
  if (members.kty === "RSA" && (key.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS) {
    throw new SpiffeError("jwk_unsupported", `RSA keys must have at least ${MIN_RSA_BITS} bits`);
  }
  return key;
}

/** Whether a JWK holds members of a private or secret key. */
export function hasPrivateMembers(jwk: JsonObject): boolean {
  return PRIVATE_MEMBERS.some((name) => name in jwk);
}

/**
 * A public key (or the public half of a private one) as JWK.
 *
 * @throws {TypeError} when JWK knows no form for the key
 */
export function formatPublicJwk(key: KeyObject): PublicJwk {
  const { kty, crv, x, y, n, e } = key.export({ format: "jwk" });
  if (kty === "RSA" && n !== undefined && e !== undefined) return { kty, n, e };
  const curve = coordinateBytes.get(crv)?.crv;
  if (kty === "EC" && curve !== undefined && x !== undefined && y !== undefined) {
    return { kty, crv: curve, x, y };
  }
  if (kty === "OKP" && crv === "Ed25519" && x !== undefined) return { kty, crv, x };
  throw new TypeError(`no JWK for a key of type ${key.asymmetricKeyType}`);
}

function readMembers(jwk: JsonObject): PublicJwk {
  const { kty, crv } = jwk;
  if (kty === "RSA") return { kty, n: unsigned(jwk, "n"), e: unsigned(jwk, "e") };
  if (kty === "EC") {
    const curve = coordinateBytes.get(crv);
    if (curve === undefined) throw new SpiffeError("jwk_unsupported", "JWK has an unknown curve");
    const { length } = curve;
    return { kty, crv: curve.crv, x: octets(jwk, "x", length), y: octets(jwk, "y", length) };
  }
  if (kty === "OKP" && crv === "Ed25519") return { kty, crv, x: octets(jwk, "x", ED25519_BYTES) };
  throw new SpiffeError("jwk_unsupported", "JWK has an unknown key type");
}

// RFC 7518 6.2.1.2: the octets have the full length of the field.
function octets(jwk: JsonObject, name: string, length: number): string {
  const text = member(jwk, name);
  if (decode(text, name).length !== length) throw invalid(name);
  return text;
}

// RFC 7518 2, Base64urlUInt: no leading zero octets.
function unsigned(jwk: JsonObject, name: string): string {
  const text = member(jwk, name);
  const bytes = decode(text, name);
  if (bytes.length === 0 || bytes[0] === 0) throw invalid(name);
  return text;
}

function member(jwk: JsonObject, name: string): string {
  const value = jwk[name];
  if (typeof value !== "string") throw invalid(name);
  return value;
}

function decode(text: string, name: string): Uint8Array {
  try {
    return decodeBase64Url(text);
  } catch {
    throw invalid(name);
  }
}

function invalid(name: string): SpiffeError {
  return new SpiffeError("jwk_malformed", `JWK member "${name}" is missing or malformed`);
}
