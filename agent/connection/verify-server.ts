import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { verifyX509Svid } from "../../spiffe/svid/x509-verify.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import type { TrustStore } from "../identity/trust-store.ts";

/** The path of every server's SPIFFE ID. */
export const SERVER_PATH = "/spire/server";

/**
 * Checks that a chain belongs to a server of our trust domain: it leads to the bundle, and its SPIFFE ID is exactly the
 * server's. The name or address that was dialled does not matter. While any server is to be trusted only the ID is checked.
 *
 * @throws {Error} | {SpiffeError} when it does not
 */
export function verifyServer(
  chainDer: readonly Uint8Array[],
  trust: TrustStore,
  expected: SpiffeId,
  now: Date,
): void {
  const chain = chainDer.map((der) => Certificate.parse(der));
  const [leaf] = chain;
  if (leaf === undefined) throw new Error("server verification: it sent no certificate");
  const id = trust.trustsUnseen ? leaf.spiffeId : verifyX509Svid(chain, trust, now).id;
  if (!id?.equals(expected)) {
    throw new Error(`server verification: it is ${id ?? "nobody"}, not ${expected}`);
  }
}
