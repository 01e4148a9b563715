import { hash } from "node:crypto";
import type { PublicKeyAlgorithm } from "../../spiffe/x509/public-key.ts";
import { findRsaWeakness, type RsaPublicNumbers } from "./rsa-weakness.ts";

/** Why a public key is not certified. Each is safe to show. */
export type KeyObjection =
  | "the key must be ECDSA on P-256, P-384 or P-521, or RSA"
  | "an RSA key must have 2048 to 4096 bits"
  | "the exponent of an RSA key must be odd, at least 65537 and at most 4294967295"
  | "the key is weak"
  | "the key is known to be compromised";

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 4096;

/** SHA-256, lower-case hexadecimal, of the SubjectPublicKeyInfos of keys that are known to others than their owners. */
export type KnownBadKeys = ReadonlySet<string>;

/** No key is known to be bad. */
export const NO_KNOWN_BAD_KEYS: KnownBadKeys = new Set();

/**
 * Which subject keys we certify: elliptic curves that every TLS library has, RSA from safe to bearable, and none that are weak or
 * known. That a point lies on its curve the import of the key has to say.
 *
 * @param algorithm as parsePublicKeyAlgorithm reads it from `spkiDer`
 */
export function judgeSubjectKey(
  spkiDer: Uint8Array,
  algorithm: PublicKeyAlgorithm,
  knownBad: KnownBadKeys = NO_KNOWN_BAD_KEYS,
): KeyObjection | undefined {
  const objection = judgeAlgorithm(algorithm);
  if (objection !== undefined) return objection;
  return knownBad.size > 0 && knownBad.has(hash("sha256", spkiDer, "hex"))
    ? "the key is known to be compromised"
    : undefined;
}

function judgeAlgorithm(algorithm: PublicKeyAlgorithm): KeyObjection | undefined {
  switch (algorithm.type) {
    case "ec":
      return algorithm.curve === "P-256" ||
        algorithm.curve === "P-384" ||
        algorithm.curve === "P-521"
        ? undefined
        : "the key must be ECDSA on P-256, P-384 or P-521, or RSA";
    case "rsa":
      return judgeRsa(algorithm);
    case "ed25519":
    case "other":
      return "the key must be ECDSA on P-256, P-384 or P-521, or RSA";
  }
}

function judgeRsa({
  modulusBits,
  publicExponent,
  modulus,
}: RsaPublicNumbers): KeyObjection | undefined {
  if (modulusBits < MIN_RSA_BITS || modulusBits > MAX_RSA_BITS) {
    return "an RSA key must have 2048 to 4096 bits";
  }
  const exponent = publicExponent.length > 4 ? 0n : toBigInt(publicExponent);
  if (exponent < 65_537n || exponent % 2n === 0n) {
    return "the exponent of an RSA key must be odd, at least 65537 and at most 4294967295";
  }
  return findRsaWeakness(toBigInt(modulus)) === undefined ? undefined : "the key is weak";
}

function toBigInt(magnitude: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(magnitude).toString("hex") || "0"}`);
}
