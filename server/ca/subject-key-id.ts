import { hash } from "node:crypto";
import { DerReader } from "../../spiffe/x509/der.ts";

/**
 * The key identifier of a SubjectPublicKeyInfo by method 1 of RFC 5280 4.2.1.2: SHA-1 over the bits of the key. A name, not a proof.
 *
 * @throws {SpiffeError} "der_malformed"
 */
export function subjectKeyId(spkiDer: Uint8Array): Uint8Array {
  const spki = new DerReader(spkiDer).sequence();
  spki.sequence();
  return hash("sha1", spki.octetsInBitString(), "buffer");
}
