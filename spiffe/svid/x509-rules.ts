import { SpiffeError } from "../error.ts";
import type { Finding, FindingCode } from "../finding.ts";
import type { SpiffeId } from "../id/spiffe-id.ts";
import type { Certificate } from "../x509/certificate.ts";
import { ExtKeyUsageOid } from "../x509/oids.ts";
import { tlsPurposes } from "../x509/tls-purposes.ts";

/**
 * Checks a leaf as a relying party must (X509-SVID 5.2): exactly one URI SAN, which is a SPIFFE ID with a path; not a CA;
 * neither keyCertSign nor cRLSign; and, if its extended key usages are limited, then to something TLS can use.
 *
 * Does not check the signature or the validity; see verifyX509Svid.
 *
 * @throws {SpiffeError} "svid_uri_san" | "svid_no_path" | "svid_is_ca" | "svid_key_usage" | "svid_ext_key_usage" and the
 *   codes for SPIFFE IDs
 */
export function checkX509SvidLeaf(leaf: Certificate): SpiffeId {
  const id = leaf.spiffeId;
  if (id.path === "") {
    throw new SpiffeError("svid_no_path", "the SPIFFE ID of a leaf certificate must have a path");
  }
  if (leaf.isCa) throw new SpiffeError("svid_is_ca", "a leaf certificate must not be a CA");
  if (leaf.keyUsage?.has("keyCertSign") || leaf.keyUsage?.has("cRLSign")) {
    throw new SpiffeError(
      "svid_key_usage",
      "a leaf certificate must not be allowed to sign certificates or CRLs",
    );
  }
  if (tlsPurposes(leaf).size === 0) {
    throw new SpiffeError("svid_ext_key_usage", "certificate is good for neither TLS side");
  }
  return id;
}

/**
 * Checks one's own SVID as its issuer must have made it, which is more than is asked of a peer: every certificate after
 * the leaf is a CA certificate, and key usages are there and sufficient (X509-SVID 4.1, 4.3).
 *
 * @throws {SpiffeError} "svid_empty" | "svid_chain" and the codes of {@link checkX509SvidLeaf}
 */
export function checkOwnX509Svid(chain: readonly Certificate[]): SpiffeId {
  const [leaf, ...signing] = chain;
  if (leaf === undefined) throw new SpiffeError("svid_empty", "an X509-SVID needs a certificate");
  const id = checkX509SvidLeaf(leaf);
  if (leaf.keyUsage?.has("digitalSignature") !== true) {
    throw new SpiffeError("svid_key_usage", "a leaf certificate must have digitalSignature");
  }
  for (const certificate of signing) {
    if (!certificate.isCa || certificate.keyUsage?.has("keyCertSign") !== true) {
      throw new SpiffeError(
        "svid_chain",
        "certificates after the leaf must be CA certificates with keyCertSign",
      );
    }
  }
  return id;
}

/** Rules that bind the issuer of a leaf and that a relying party lets pass. */
export function lintX509SvidLeaf(leaf: Certificate): readonly Finding[] {
  const { keyUsage, extKeyUsages } = leaf;
  const isTlsBoth =
    extKeyUsages === undefined ||
    (extKeyUsages.includes(ExtKeyUsageOid.serverAuth) &&
      extKeyUsages.includes(ExtKeyUsageOid.clientAuth));
  return findings([
    [
      leaf.isSubjectEmpty && !leaf.isSubjectAltNameCritical,
      "subject_alt_name_not_critical",
      "the subject is empty, so the SAN must be critical",
    ],
    [keyUsage === undefined, "key_usage_missing", "a leaf must have a key usage"],
    [
      keyUsage !== undefined && !leaf.isKeyUsageCritical,
      "key_usage_not_critical",
      "the key usage must be critical",
    ],
    [
      keyUsage !== undefined && !keyUsage.has("digitalSignature"),
      "digital_signature_missing",
      "a leaf must have digitalSignature",
    ],
    [!isTlsBoth, "ext_key_usage_incomplete", "a leaf must have both serverAuth and clientAuth"],
    [leaf.pathLength !== undefined, "path_length_without_ca", "only a CA has a path length"],
  ]);
}

/** Rules that bind the issuer of a signing certificate and that a relying party lets pass. */
export function lintSigningCertificate(certificate: Certificate): readonly Finding[] {
  const { keyUsage } = certificate;
  const id = certificate.uriSans.length === 0 ? undefined : idOf(certificate);
  return findings([
    [keyUsage === undefined, "key_usage_missing", "a CA must have a key usage"],
    [
      keyUsage !== undefined && !certificate.isKeyUsageCritical,
      "key_usage_not_critical",
      "the key usage must be critical",
    ],
    [id === "invalid", "signing_id_invalid", "the URI SANs of a CA must be one SPIFFE ID"],
    [
      id !== undefined && id !== "invalid" && id.path !== "",
      "signing_id_has_path",
      "the SPIFFE ID of a CA must not have a path",
    ],
  ]);
}

function idOf(certificate: Certificate): SpiffeId | "invalid" {
  try {
    return certificate.spiffeId;
  } catch {
    return "invalid";
  }
}

function findings(rules: readonly (readonly [boolean, FindingCode, string])[]): readonly Finding[] {
  return rules.filter(([broken]) => broken).map(([, code, message]) => ({ code, message }));
}
