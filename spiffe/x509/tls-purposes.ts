import type { Certificate } from "./certificate.ts";
import { ExtKeyUsageOid } from "./oids.ts";

/** What a TLS peer may do according to the extended key usages of its certificate and those above it. */
export type TlsPurpose = "server" | "client";

/** The sides of TLS that a certificate's own extended key usages leave open. */
export function tlsPurposes(certificate: Certificate): ReadonlySet<TlsPurpose> {
  const usages = certificate.extKeyUsages;
  const allowed = (oid: string): boolean =>
    usages === undefined || usages.includes(oid) || usages.includes(ExtKeyUsageOid.any);
  const purposes = new Set<TlsPurpose>();
  if (allowed(ExtKeyUsageOid.serverAuth)) purposes.add("server");
  if (allowed(ExtKeyUsageOid.clientAuth)) purposes.add("client");
  return purposes;
}
