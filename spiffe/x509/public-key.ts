import { createPublicKey, type KeyObject } from "node:crypto";
import { SpiffeError } from "../error.ts";
import { asBuffer } from "./bytes.ts";
import { DerReader } from "./der.ts";
import { KeyOid } from "./oids.ts";

/** What kind of key a SubjectPublicKeyInfo holds, read from its DER without importing it. */
export type PublicKeyAlgorithm =
  | { readonly type: "ec"; readonly curve: EcCurve }
  | {
      readonly type: "rsa";
      readonly modulusBits: number;
      /** Magnitudes, most significant octet first. */
      readonly modulus: Uint8Array;
      readonly publicExponent: Uint8Array;
    }
  | { readonly type: "ed25519" }
  | { readonly type: "other"; readonly oid: string };

/** Named curves by their NIST names; "other" for every other one. */
export type EcCurve = "P-224" | "P-256" | "P-384" | "P-521" | "other";

const curveByOid: ReadonlyMap<string, EcCurve> = new Map([
  [KeyOid.p224, "P-224"],
  [KeyOid.p256, "P-256"],
  [KeyOid.p384, "P-384"],
  [KeyOid.p521, "P-521"],
]);

/**
 * Reads the algorithm of a SubjectPublicKeyInfo (RFC 5280 4.1.2.7). Does not check that the key is valid (that a point
 * is on its curve, say); {@link importPublicKey} does.
 *
 * @throws {SpiffeError} "der_malformed"
 */
export function parsePublicKeyAlgorithm(spkiDer: Uint8Array): PublicKeyAlgorithm {
  const outer = new DerReader(spkiDer);
  const reader = outer.sequence();
  outer.finish();
  const algorithm = reader.sequence();
  const key = reader.octetsInBitString();
  reader.finish();
  const oid = algorithm.oid();
  switch (oid) {
    case KeyOid.ec: {
      const curve = algorithm.oid();
      algorithm.finish();
      return { type: "ec", curve: curveByOid.get(curve) ?? "other" };
    }
    case KeyOid.rsa:
    case KeyOid.rsaPss: {
      if (!algorithm.atEnd) algorithm.skip();
      algorithm.finish();
      return parseRsaKey(key);
    }
    case KeyOid.ed25519:
      algorithm.finish();
      return { type: "ed25519" };
    default:
      return { type: "other", oid };
  }
}

/**
 * Imports a SubjectPublicKeyInfo, which checks the key itself as well.
 *
 * @throws {SpiffeError} "public_key_unsupported"
 */
export function importPublicKey(spkiDer: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: asBuffer(spkiDer), format: "der", type: "spki" });
  } catch {
    throw new SpiffeError("public_key_unsupported", "public key is invalid or not supported");
  }
}

function parseRsaKey(key: Uint8Array): PublicKeyAlgorithm {
  const outer = new DerReader(key);
  const reader = outer.sequence();
  outer.finish();
  const modulus = reader.unsignedInteger();
  const publicExponent = reader.unsignedInteger();
  reader.finish();
  const topBits = 32 - Math.clz32(modulus[0] ?? 0);
  const modulusBits = (modulus.length - 1) * 8 + topBits;
  return { type: "rsa", modulusBits, modulus, publicExponent };
}
