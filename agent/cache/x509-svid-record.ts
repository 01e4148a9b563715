import { type Certificate, parseConcatenatedCertificates } from "../../spiffe/x509/certificate.ts";
import type { KeyBytes } from "../identity/svid-key.ts";
import type { CachedEntry } from "./entry.ts";

/** An X509-SVID with its key, as the cache and the state file hold it. The buffers are shared: never change them. */
export interface X509SvidRecord {
  readonly entryId: string;
  /** Revision of the entry that it was issued for; an entry with another revision needs a new one. */
  readonly entryRevision: bigint;
  readonly spiffeId: string;
  /** Lower-case hexadecimal. */
  readonly serialNumber: string;
  /** Leaf and intermediates, each ASN.1 DER, concatenated. */
  readonly certificateChainDer: Uint8Array;
  /** PKCS#8, ASN.1 DER. */
  readonly privateKeyPkcs8: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Drawn once, when the SVID arrived. */
  readonly renewAt: Date;
  /** Key identifiers (lower-case hexadecimal) of the authorities that the chain hangs on; to find what a tainted one signed. */
  readonly authorityKeyIds: readonly string[];
}

/** What a server answered to an order. */
export interface IssuedChain {
  readonly entry: CachedEntry;
  /** Leaf first, each ASN.1 DER. */
  readonly chainDer: readonly Uint8Array[];
  /** What the certificate was asked for with. */
  readonly key: KeyBytes;
}

/**
 * Checks what a server answered before any workload gets it, since a workload would fail with it in ways that nobody could
 * explain: the leaf names the entry's SPIFFE ID and our key, and has not expired.
 *
 * @param renewAt draws the instant from the validity
 * @throws {Error} | {SpiffeError}
 */
export function makeRecord(
  issued: IssuedChain,
  now: Date,
  renewAt: (validity: { readonly notBefore: Date; readonly notAfter: Date }) => Date,
): X509SvidRecord {
  const { entry, key } = issued;
  return describeChain({
    certificateChainDer: concatenate(issued.chainDer),
    privateKeyPkcs8: key.pkcs8Der,
    entryId: entry.id,
    entryRevision: entry.revision,
    renewAt,
    check: (leaf) => {
      if (leaf.spiffeId?.toString() !== entry.spiffeId) {
        throw new Error("X509-SVID: it is for another SPIFFE ID");
      }
      if (Buffer.compare(key.spkiDer, leaf.spkiDer) !== 0) {
        throw new Error("X509-SVID: it is for another key");
      }
      if (leaf.notAfter.getTime() <= now.getTime()) {
        throw new Error("X509-SVID: it has expired already");
      }
    },
  });
}

/** Reads back what the state file keeps of a record. @throws {Error} | {SpiffeError} when it is no chain with a SPIFFE ID */
export function restoreRecord(stored: {
  readonly entryId: string;
  readonly entryRevision: bigint;
  readonly certificateChainDer: Uint8Array;
  readonly privateKeyPkcs8: Uint8Array;
  readonly renewAt: Date;
}): X509SvidRecord {
  return describeChain({ ...stored, renewAt: () => stored.renewAt, check: () => {} });
}

function describeChain(o: {
  readonly entryId: string;
  readonly entryRevision: bigint;
  readonly certificateChainDer: Uint8Array;
  readonly privateKeyPkcs8: Uint8Array;
  readonly renewAt: (leaf: Certificate) => Date;
  readonly check: (leaf: Certificate) => void;
}): X509SvidRecord {
  const chain = parseConcatenatedCertificates(o.certificateChainDer);
  const [leaf] = chain;
  if (leaf?.spiffeId === undefined) throw new Error("X509-SVID: it has no SPIFFE ID");
  o.check(leaf);
  return {
    entryId: o.entryId,
    entryRevision: o.entryRevision,
    spiffeId: leaf.spiffeId.toString(),
    serialNumber: leaf.serialNumberHex,
    certificateChainDer: o.certificateChainDer,
    privateKeyPkcs8: o.privateKeyPkcs8,
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    renewAt: o.renewAt(leaf),
    authorityKeyIds: chain.flatMap(({ authorityKeyId }) =>
      authorityKeyId === undefined ? [] : [Buffer.from(authorityKeyId).toString("hex")],
    ),
  };
}

// An array of its own: the pieces are views of the server's whole answer.
function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}

/** @param wallMs the wall clock */
export function isAlive(record: X509SvidRecord, wallMs: number): boolean {
  return wallMs < record.notAfter.getTime();
}

/** How long it is good for in all, in milliseconds. */
export function lifeOf(record: X509SvidRecord): number {
  return record.notAfter.getTime() - record.notBefore.getTime();
}
