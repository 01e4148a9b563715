import { MAX_CSR_BYTES } from "../../spiffe/x509/csr.ts";
import { DerReader, Tag } from "../../spiffe/x509/der.ts";

/**
 * Finds the SubjectPublicKeyInfo in a certificate request (RFC 2986 4) without reading the rest: enough to state in the audit which key
 * is about to be certified, while the request is being checked elsewhere. Undefined if there is none to be found.
 */
export function findCsrKey(csrDer: Uint8Array): Uint8Array | undefined {
  if (csrDer.length > MAX_CSR_BYTES) return undefined;
  try {
    const info = new DerReader(csrDer).sequence().sequence();
    info.integer();
    info.unreadElement(Tag.sequence);
    return info.unreadElement(Tag.sequence);
  } catch {
    return undefined;
  }
}
