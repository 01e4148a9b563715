import type { TLSSocket } from "node:tls";

/** No trust domain needs a longer one, and each certificate may cost signature checks. */
const MAX_CHAIN_LENGTH = 10;

/** The certificates that the peer sent, leaf first, each ASN.1 DER. Empty when it sent none. */
export function peerChain(socket: TLSSocket): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && chain.length < MAX_CHAIN_LENGTH) {
    // A self-signed certificate is its own issuer.
    const last = chain.at(-1);
    if (last !== undefined && certificate.raw.equals(last)) break;
    chain.push(new Uint8Array(certificate.raw));
    certificate = certificate.issuerCertificate;
  }
  return chain;
}
