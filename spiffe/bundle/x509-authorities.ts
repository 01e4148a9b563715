import type { Finding } from "../finding.ts";
import { type Certificate, parseConcatenatedCertificates } from "../x509/certificate.ts";

/** The certificates of a set that can be X.509 authorities, and what was left out. */
export interface X509AuthoritiesResult {
  readonly authorities: readonly Certificate[];
  readonly findings: readonly Finding[];
}

/**
 * Takes from a list what can be an X.509 authority: each certificate once, and only CA certificates, since a leaf must
 * never vouch for itself. What SPIFFE ID a CA certificate carries does not matter here.
 */
export function selectX509Authorities(certificates: readonly Certificate[]): X509AuthoritiesResult {
  const authorities: Certificate[] = [];
  const findings: Finding[] = [];
  for (const [index, certificate] of certificates.entries()) {
    if (!certificate.isCa) {
      findings.push({ code: "not_a_ca", message: `certificate ${index} is not a CA certificate` });
    } else if (authorities.some((known) => known.equals(certificate))) {
      findings.push({ code: "duplicate_dropped", message: `certificate ${index} is a duplicate` });
    } else {
      authorities.push(certificate);
    }
  }
  return { authorities, findings };
}

/**
 * Reads an X.509 bundle as the Workload API sends it: concatenated DER. No bytes mean no authorities.
 *
 * @throws {SpiffeError} the codes of {@link parseConcatenatedCertificates}
 */
export function parseX509Authorities(bytes: Uint8Array): X509AuthoritiesResult {
  return selectX509Authorities(parseConcatenatedCertificates(bytes));
}
