import { constants, type KeyObject, verify } from "node:crypto";
import { permissionDenied } from "../../../runtime/errors/status-error.ts";
import type { PublicKeyAlgorithm } from "../../../spiffe/x509/public-key.ts";
import type { PopResponse } from "./messages.ts";

/** Bytes of a nonce, on either side. */
export const NONCE_BYTES = 32;

const MAX_RSA_BITS = 8192;
const MIN_RSA_BITS = 2048;

/**
 * The kind of proof that a key can give.
 *
 * @throws {StatusError} PERMISSION_DENIED for keys that are too weak, too large or of another kind
 */
export function proofKindOf(key: PublicKeyAlgorithm): PopResponse["kind"] {
  if (key.type === "ec" && key.curve !== "other" && key.curve !== "P-224") return "ecdsa";
  if (key.type === "rsa" && key.modulusBits >= MIN_RSA_BITS && key.modulusBits <= MAX_RSA_BITS) {
    return "rsa";
  }
  throw permissionDenied(
    `certificate key: expected RSA with ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, or EC on P-256, P-384 or P-521`,
  );
}

/**
 * Checks that the holder of a key answered a challenge: a signature over SHA-256 of both nonces, ours first. The agent adds a
 * nonce so that it never signs bytes that only the server chose.
 *
 * @throws {StatusError} PERMISSION_DENIED
 */
export function checkProof(publicKey: KeyObject, nonce: Uint8Array, response: PopResponse): void {
  if (response.nonce.length !== NONCE_BYTES) {
    throw permissionDenied(`challenge response: expected a nonce of ${NONCE_BYTES} bytes`);
  }
  const signed = Buffer.concat([nonce, response.nonce]);
  if (!isProof(publicKey, signed, response)) {
    throw permissionDenied("challenge response: signature does not match the certificate's key");
  }
}

function isProof(publicKey: KeyObject, signed: Uint8Array, response: PopResponse): boolean {
  if (response.kind === "rsa") {
    if (publicKey.asymmetricKeyType !== "rsa") return false;
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    const saltLength = constants.RSA_PSS_SALTLEN_AUTO;
    return verify("sha256", signed, { key: publicKey, padding, saltLength }, response.signature);
  }
  if (publicKey.asymmetricKeyType !== "ec") return false;
  const size = coordinateBytes(publicKey);
  if (response.r.length > size || response.s.length > size) return false;
  const signature = Buffer.alloc(2 * size);
  signature.set(response.r, size - response.r.length);
  signature.set(response.s, 2 * size - response.s.length);
  return verify("sha256", signed, { key: publicKey, dsaEncoding: "ieee-p1363" }, signature);
}

function coordinateBytes(key: KeyObject): number {
  switch (key.asymmetricKeyDetails?.namedCurve) {
    case "prime256v1":
      return 32;
    case "secp384r1":
      return 48;
    default:
      return 66;
  }
}
