import type { TLSSocket } from "node:tls";
import { systemClock } from "../../runtime/time/clock.ts";
import type { BundleSource } from "../bundle/bundle.ts";
import type { Matcher } from "../id/matcher.ts";
import type { SpiffeId } from "../id/spiffe-id.ts";
import { verifyX509Svid } from "../svid/x509-verify.ts";
import { Certificate } from "../x509/certificate.ts";
import { peerChain } from "./peer-chain.ts";

/** How the other side of a TLS connection is judged. */
export interface PeerPolicy {
  /** The bundles that peers are verified with; asked at each handshake. */
  readonly bundles: BundleSource;
  /** Which verified peers are welcome: matchAny, matchId, matchOneOf, matchMemberOf, or a function of yours. */
  readonly authorize: Matcher;
  /** The time at which validity is judged; the machine's clock unless given. */
  readonly now?: () => Date;
}

const verifiedIds = new WeakMap<TLSSocket, SpiffeId>();

/**
 * Verifies who is on the other side of a TLS connection whose handshake has just finished (X509-SVID 5). That Node calls
 * the socket authorized says nothing about it; nothing may be read or written before this returns.
 *
 * @throws {SpiffeError} the codes of verifyX509Svid, and whatever `authorize` throws
 */
export function verifyPeer(socket: TLSSocket, policy: PeerPolicy): SpiffeId {
  const chain = peerChain(socket).map((der) => Certificate.parse(der));
  const now = policy.now?.() ?? systemClock.now();
  const { id } = verifyX509Svid(chain, policy.bundles, now);
  policy.authorize(id);
  verifiedIds.set(socket, id);
  return id;
}

/** The SPIFFE ID of a peer that {@link verifyPeer} has let in, on this socket. */
export function peerIdOf(socket: object): SpiffeId | undefined {
  return verifiedIds.get(socket as TLSSocket);
}
