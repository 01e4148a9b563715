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
