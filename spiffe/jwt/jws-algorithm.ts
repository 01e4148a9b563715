import { constants, type KeyObject, sign } from "node:crypto";

/** The signature algorithms of JWT-SVID 2.1 and WIT-SVID 2.3, which are all there are (RFC 7518 3.1). */
export const jwsAlgorithms = [
  "RS256",
  "RS384",
  "RS512",
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
] as const;

export type JwsAlgorithm = (typeof jwsAlgorithms)[number];

const known: ReadonlySet<unknown> = new Set(jwsAlgorithms);
const curveOf = { ES256: "prime256v1", ES384: "secp384r1", ES512: "secp521r1" } as const;

/** Shortest RSA modulus in bits (RFC 7518 3.3, 3.5). */
export const MIN_RSA_BITS = 2048;

export function isJwsAlgorithm(value: unknown): value is JwsAlgorithm {
  return known.has(value);
}

/** Whether a public or private key may be used with an algorithm: its type, its curve and its size fit. */
export function isKeyForAlgorithm(key: KeyObject, algorithm: JwsAlgorithm): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  switch (algorithm) {
    case "ES256":
    case "ES384":
    case "ES512":
      return type === "ec" && details?.namedCurve === curveOf[algorithm];
    default:
      return type === "rsa" && (details?.modulusLength ?? 0) >= MIN_RSA_BITS;
  }
}

/** Signs the signing input of a JWS with a key in memory; the result is in the form that JWS wants (RFC 7518 3). */
export function signWithKey(
  privateKey: KeyObject,
  algorithm: JwsAlgorithm,
  data: Uint8Array,
): Uint8Array {
  if (!isKeyForAlgorithm(privateKey, algorithm)) {
    throw new TypeError(`the key is not one for ${algorithm}`);
  }
  const hash = `sha${algorithm.slice(2)}`;
  switch (algorithm.slice(0, 2)) {
    case "ES":
      return sign(hash, data, { key: privateKey, dsaEncoding: "ieee-p1363" });
    case "PS":
      return sign(hash, data, {
        key: privateKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      });
    default:
      return sign(hash, data, { key: privateKey, padding: constants.RSA_PKCS1_PADDING });
  }
}
