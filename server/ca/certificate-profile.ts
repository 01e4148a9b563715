import type { KeyUsageName } from "../../spiffe/x509/extensions.ts";
import { ExtKeyUsageOid } from "../../spiffe/x509/oids.ts";

/** How long before "now" a certificate begins, so that it is valid on machines whose clocks are a little behind. */
export const BACKDATE_SECONDS = 10;

/** The subject of all our certificates begins with this. */
export const SUBJECT_BASE = { country: "US", organization: "Assay" } as const;

/** Longest common name (X.520: ub-common-name). A longer DNS name stands among the alternative names only. */
export const MAX_COMMON_NAME_LENGTH = 64;

/** What every X509-SVID we sign has, whoever it is for: workload, agent, server or minted (X509-SVID 4). */
export const SVID_PROFILE: {
  readonly keyUsage: (isRsa: boolean) => readonly KeyUsageName[];
  readonly extKeyUsages: readonly string[];
} = {
  // Key encipherment means something for RSA only, where TLS 1.2 may still use it (X509-SVID 4.3 allows both).
  keyUsage: (isRsa) => (isRsa ? ["digitalSignature", "keyEncipherment"] : ["digitalSignature"]),
  extKeyUsages: [ExtKeyUsageOid.serverAuth, ExtKeyUsageOid.clientAuth],
};

/** What differs from one X509-SVID to the next. */
export interface SvidFields {
  /** Positive, with its first bit clear. */
  readonly serial: Uint8Array;
  /** Whole seconds. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly spkiDer: Uint8Array;
  readonly isRsa: boolean;
  readonly spiffeId: string;
  readonly dnsNames: readonly string[];
}

/** The common name of an SVID: its first DNS name, if that is short enough. */
export function commonNameOf(dnsNames: readonly string[]): string | undefined {
  const [first] = dnsNames;
  return first !== undefined && first.length <= MAX_COMMON_NAME_LENGTH ? first : undefined;
}
