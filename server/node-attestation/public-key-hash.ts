import { hash } from "node:crypto";

/** How a public key is pinned: SHA-256 of its SubjectPublicKeyInfo, lower-case hexadecimal. */
export function publicKeyHashOf(spkiDer: Uint8Array): string {
  return hash("sha256", spkiDer, "hex");
}
