import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import type { Bundle } from "../../spiffe/bundle/bundle.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import { type VerifiedX509Svid, verifyX509Svid } from "../../spiffe/svid/x509-verify.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { MAX_PRESENTED_CERTIFICATES } from "../../spiffe/x509/certification-path.ts";

/** A client whose certificate was verified. */
export interface VerifiedClient {
  readonly svid: VerifiedX509Svid;
  /** How long beyond the certificate's end a connection may last that began after it. */
  readonly graceMs: number;
}

/**
 * Verifies the certificate that a client presented, against the bundle of our own trust domain and no other. An agent whose
 * certificate has run out is let in during the time of grace; what it may do then is decided call by call.
 *
 * @returns undefined when the client presented none
 * @throws {SpiffeError} when it presented one that does not hold
 */
export function verifyClient(
  socket: Pick<TLSSocket, "getPeerCertificate">,
  bundle: Bundle,
  now: Date,
  renewGraceMs: number,
): VerifiedClient | undefined {
  const chain = presentedChain(socket.getPeerCertificate(true));
  const [leaf] = chain;
  if (leaf === undefined) return undefined;
  const isAgent = leaf.spiffeId.path.startsWith("/spire/agent/");
  const graceMs = isAgent ? renewGraceMs : 0;
  const isInGrace = leaf.notAfter < now && now.getTime() <= leaf.notAfter.getTime() + graceMs;
  // Judged as of the certificate's end, because the authority may have ended with it.
  const at = isInGrace ? leaf.notAfter : now;
  return { svid: verifyX509Svid(chain, bundle, at), graceMs };
}

// Node links the certificates that the client sent; a self-signed one is linked to itself.
function presentedChain(leaf: DetailedPeerCertificate): readonly Certificate[] {
  const chain: Certificate[] = [];
  const seen = new Set<DetailedPeerCertificate>();
  // Without a certificate, Node answers with an object that has no properties.
  let next: DetailedPeerCertificate | undefined = "raw" in leaf ? leaf : undefined;
  while (next !== undefined && !seen.has(next)) {
    if (chain.length === MAX_PRESENTED_CERTIFICATES) {
      throw new SpiffeError("chain_too_long", "peer presented too many certificates");
    }
    seen.add(next);
    chain.push(Certificate.parse(next.raw));
    next = next.issuerCertificate;
  }
  return chain;
}
