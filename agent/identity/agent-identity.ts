import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { AgentIdentity as StoredIdentity } from "../../proto/gen/assay/agent/v1/state_pb.ts";
import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { X509Svid } from "../../spiffe/svid/x509-svid.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";

/** Share of its life after which the agent's own SVID is renewed: two thirds are left to find a server again. */
export const RENEW_AFTER: number = 1 / 3;
/** Share of that time by which the instant may move, so that a fleet attested together does not renew together. */
export const RENEW_JITTER = 0.2;

/** Who this agent is to the server: its X509-SVID with the key. Immutable. */
export interface AgentIdentity {
  readonly id: SpiffeId;
  /** Leaf first, each ASN.1 DER. */
  readonly chainDer: readonly Uint8Array[];
  readonly privateKey: KeyObject;
  readonly serialNumber: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Key identifiers (lower-case hexadecimal) of the authorities that the chain hangs on. */
  readonly authorityKeyIds: readonly string[];
  /** Drawn once; sooner since an authority was tainted. */
  readonly renewAt: Date;
  /** Whether the server wants this agent to attest again instead of renewing. */
  readonly reattestable: boolean;
}

/**
 * Puts an identity together from what the server answered, and checks that it is one: an ID below the trust domain's
 * `/spire/agent/`, for the key that was sent.
 *
 * @param o.renewAt draws the instant from the validity
 * @throws {Error} | {SpiffeError} when the certificate is no agent's
 */
export function makeIdentity(o: {
  readonly chainDer: readonly Uint8Array[];
  readonly privateKey: KeyObject;
  readonly reattestable: boolean;
  readonly trustDomain: TrustDomain;
  readonly renewAt: (validity: { readonly notBefore: Date; readonly notAfter: Date }) => Date;
}): AgentIdentity {
  const [leafDer] = o.chainDer;
  if (leafDer === undefined) throw new Error("agent SVID: the certificate chain is empty");
  const leaf = Certificate.parse(leafDer.slice());
  const id = leaf.spiffeId;
  if (!id?.memberOf(o.trustDomain) || !id.path.startsWith("/spire/agent/")) {
    throw new Error("agent SVID: its SPIFFE ID is not that of an agent of this trust domain");
  }
  const spki = createPublicKey(o.privateKey).export({ type: "spki", format: "der" });
  if (Buffer.compare(spki, leaf.spkiDer) !== 0) {
    throw new Error("agent SVID: it is not for the key that was sent");
  }
  return {
    id,
    chainDer: o.chainDer.map((der) => der.slice()),
    privateKey: o.privateKey,
    serialNumber: leaf.serialNumberHex,
    authorityKeyIds: o.chainDer.flatMap((der) => {
      const { authorityKeyId } = Certificate.parse(der.slice());
      return authorityKeyId === undefined ? [] : [Buffer.from(authorityKeyId).toString("hex")];
    }),
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    renewAt: o.renewAt(leaf),
    reattestable: o.reattestable,
  };
}

/** The identity as a TLS server or client shows it. */
export function asX509Svid({ chainDer, privateKey }: AgentIdentity): X509Svid {
  return new X509Svid(
    chainDer.map((der) => Certificate.parse(der)),
    privateKey,
  );
}

/** The identity as the state file keeps it. */
export function storeIdentity(identity: AgentIdentity): Omit<StoredIdentity, "$typeName"> {
  return {
    certificateChain: [...identity.chainDer],
    privateKey: exportPrivateKey(identity.privateKey),
    reattestable: identity.reattestable,
    renewAtMs: BigInt(identity.renewAt.getTime()),
  };
}

/** Reads what the state file kept. @throws {Error} | {SpiffeError} when it is no identity of this trust domain */
export function restoreIdentity(stored: StoredIdentity, trustDomain: TrustDomain): AgentIdentity {
  return makeIdentity({
    chainDer: stored.certificateChain,
    privateKey: importPrivateKey(stored.privateKey),
    reattestable: stored.reattestable,
    trustDomain,
    renewAt: () => new Date(Number(stored.renewAtMs)),
  });
}

/** PKCS#8, ASN.1 DER. */
export function exportPrivateKey(key: KeyObject): Uint8Array {
  return key.export({ type: "pkcs8", format: "der" });
}

/** Reads PKCS#8, ASN.1 DER. */
export function importPrivateKey(pkcs8: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
}
