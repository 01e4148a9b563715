import { SpiffeError } from "../error.ts";
import { bytesEqual } from "./bytes.ts";
import type { Certificate } from "./certificate.ts";
import type { GeneralName } from "./general-names.ts";
import { checkNameConstraints } from "./name-constraints.ts";
import { type TlsPurpose, tlsPurposes } from "./tls-purposes.ts";

/** Most certificates that a peer may present. */
export const MAX_PRESENTED_CERTIFICATES = 16;

const MAX_INTERMEDIATES = 8;
const MIN_RSA_BITS = 2048;
// Whoever presents certificates makes us check signatures; that ends here whatever they present.
const MAX_SIGNATURE_CHECKS = 64;

/**
 * Finds a path (RFC 5280 6) from a leaf to one of the given authorities, and validates it. The order of the certificates
 * after the leaf does not matter, and ones that are not needed are passed over. Whether the leaf is an SVID is not asked,
 * so that certificates of an existing PKI can be checked too.
 *
 * Checked is every certificate of the path, the authority included: validity at `now`, signature, critical extensions,
 * basic constraints, keyCertSign, path length, name constraints, and that the extended key usages leave a side of TLS
 * open. Not checked: revocation.
 *
 * @param chain what the peer presented, leaf first
 * @param untrusted what to say when no path is found
 * @returns the path, from the leaf to the authority
 * @throws {SpiffeError} "svid_empty" | "chain_too_long" | "chain_untrusted" | "chain_name_constraints" |
 *   "certificate_expired" | "certificate_not_yet_valid" | "certificate_critical_extension" | "signature_algorithm" |
 *   "public_key_unsupported" | "svid_ext_key_usage"
 */
export function findPath(
  chain: readonly Certificate[],
  authorities: readonly Certificate[],
  now: Date,
  untrusted = "certificate was signed by no trusted authority",
): readonly Certificate[] {
  const [leaf, ...presented] = chain;
  if (leaf === undefined) throw new SpiffeError("svid_empty", "peer presented no certificate");
  if (chain.length > MAX_PRESENTED_CERTIFICATES) {
    throw new SpiffeError("chain_too_long", "peer presented too many certificates");
  }
  checkCertificate(leaf, now);
  return new PathSearch(authorities, presented, now).from(leaf, untrusted);
}

/**
 * Looks for a path to an authority, depth first. The search remembers why candidates that did sign were refused, so that
 * the error names the real obstacle and not merely that nothing was found.
 */
class PathSearch {
  readonly #authorities: readonly Certificate[];
  readonly #presented: readonly Certificate[];
  readonly #now: Date;
  #signatureChecks = 0;
  #obstacle: SpiffeError | undefined;

  constructor(authorities: readonly Certificate[], presented: readonly Certificate[], now: Date) {
    this.#authorities = authorities;
    this.#presented = presented;
    this.#now = now;
  }

  from(leaf: Certificate, untrusted: string): readonly Certificate[] {
    const path = this.#extend([leaf], leaf);
    if (path !== undefined) return path;
    throw this.#obstacle ?? new SpiffeError("chain_untrusted", untrusted);
  }

  #extend(path: readonly Certificate[], last: Certificate): readonly Certificate[] | undefined {
    for (const authority of issuersFirst(this.#authorities, last)) {
      if (this.#isIssuedBy(path, last, authority)) return [...path, authority];
    }
    if (path.length > MAX_INTERMEDIATES) return undefined;
    for (const candidate of issuersFirst(this.#presented, last)) {
      const isUsed = path.some((known) => known.equals(candidate));
      if (isUsed || !this.#isIssuedBy(path, last, candidate)) continue;
      const found = this.#extend([...path, candidate], candidate);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #isIssuedBy(path: readonly Certificate[], last: Certificate, issuer: Certificate): boolean {
    if (this.#signatureChecks === MAX_SIGNATURE_CHECKS) return false;
    this.#signatureChecks++;
    try {
      if (!last.isSignedBy(issuer.publicKey)) return false;
      checkIssuer(path, issuer, this.#now);
      return true;
    } catch (err) {
      if (!(err instanceof SpiffeError)) throw err;
      this.#obstacle ??= err;
      return false;
    }
  }
}

// Candidates whose subject is the wanted issuer. Key identifiers are a hint only (RFC 5280 4.2.1.1): they decide which of
// the candidates are tried first.
function issuersFirst(
  candidates: readonly Certificate[],
  certificate: Certificate,
): readonly Certificate[] {
  const named = candidates.filter(({ subjectDer }) =>
    bytesEqual(subjectDer, certificate.issuerDer),
  );
  const wanted = certificate.authorityKeyId;
  if (wanted === undefined || named.length < 2) return named;
  const isWanted = ({ subjectKeyId }: Certificate): boolean =>
    subjectKeyId !== undefined && bytesEqual(subjectKeyId, wanted);
  return [...named.filter(isWanted), ...named.filter((candidate) => !isWanted(candidate))];
}

// RFC 5280 6.1.4, for a certificate that signed the last one of the path.
function checkIssuer(path: readonly Certificate[], issuer: Certificate, now: Date): void {
  checkCertificate(issuer, now);
  if (!issuer.isCa) throw untrusted("a certificate was signed by one that is not a CA");
  if (issuer.keyUsage?.has("keyCertSign") === false) {
    throw untrusted("a certificate was signed by one that may not sign certificates");
  }
  const key = issuer.publicKeyAlgorithm;
  if (key.type === "rsa" && key.modulusBits < MIN_RSA_BITS) {
    throw untrusted(`a certificate was signed with an RSA key of less than ${MIN_RSA_BITS} bits`);
  }
  const [, ...intermediates] = path;
  // Self-issued intermediates do not count (RFC 5280 4.2.1.9).
  const below = intermediates.filter(({ isSelfIssued }) => !isSelfIssued).length;
  if (issuer.pathLength !== undefined && below > issuer.pathLength) {
    throw untrusted("there are more intermediates than the path length allows");
  }
  checkPurposes([...path, issuer]);
  const { nameConstraints } = issuer;
  if (nameConstraints === undefined) return;
  for (const [index, certificate] of path.entries()) {
    if (index > 0 && certificate.isSelfIssued) continue;
    checkNameConstraints(nameConstraints, namesOf(certificate));
  }
}

function checkCertificate(certificate: Certificate, now: Date): void {
  if (now < certificate.notBefore) {
    throw new SpiffeError("certificate_not_yet_valid", "a certificate is not valid yet");
  }
  if (now > certificate.notAfter) {
    throw new SpiffeError("certificate_expired", "a certificate has expired");
  }
  if (certificate.unknownCriticalExtensions.length > 0) {
    throw new SpiffeError(
      "certificate_critical_extension",
      `critical extension ${certificate.unknownCriticalExtensions[0]} is not known`,
    );
  }
}

// A limit on extended key usages holds for everything below.
function checkPurposes(path: readonly Certificate[]): void {
  let open: ReadonlySet<TlsPurpose> = new Set(["server", "client"]);
  for (const certificate of path) open = open.intersection(tlsPurposes(certificate));
  if (open.size === 0) {
    throw new SpiffeError("svid_ext_key_usage", "the path is good for neither side of TLS");
  }
}

function namesOf(certificate: Certificate): readonly GeneralName[] {
  const subject: GeneralName = { kind: "directory", text: "" };
  return certificate.isSubjectEmpty
    ? certificate.subjectAltNames
    : [subject, ...certificate.subjectAltNames];
}

function untrusted(message: string): SpiffeError {
  return new SpiffeError("chain_untrusted", message);
}
