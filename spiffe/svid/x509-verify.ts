import type { BundleSource } from "../bundle/bundle.ts";
import { SpiffeError } from "../error.ts";
import type { Finding } from "../finding.ts";
import type { SpiffeId } from "../id/spiffe-id.ts";
import type { Certificate } from "../x509/certificate.ts";
import { findPath } from "../x509/certification-path.ts";
import { checkX509SvidLeaf, lintSigningCertificate, lintX509SvidLeaf } from "./x509-rules.ts";

/** A peer whose X509-SVID has been verified. */
export interface VerifiedX509Svid {
  readonly id: SpiffeId;
  /** The path that was found, from the leaf to the authority in the bundle. */
  readonly path: readonly Certificate[];
  /** Rules that bind issuers only and that the path breaks. */
  readonly findings: readonly Finding[];
}

/**
 * Verifies the X509-SVID of a peer (X509-SVID 5) against the bundle of the leaf's own trust domain and no other: the rules
 * for leaves (see checkX509SvidLeaf) and the path to an authority (see findPath). Whether this ID is one to talk to is for
 * the caller to decide.
 *
 * @param chain what the peer presented, leaf first
 * @throws {SpiffeError} "bundle_not_found", the codes of checkX509SvidLeaf and of findPath, "federation_id" |
 *   "federation_ended" beyond the limits that go with the bundle
 */
export function verifyX509Svid(
  chain: readonly Certificate[],
  bundles: BundleSource,
  now: Date,
): VerifiedX509Svid {
  const [leaf] = chain;
  if (leaf === undefined) throw new SpiffeError("svid_empty", "peer presented no certificate");
  const id = checkX509SvidLeaf(leaf);
  const bundle = bundles.bundleFor(id.trustDomain);
  if (bundle === undefined) {
    throw new SpiffeError("bundle_not_found", `trust domain ${id.trustDomain} is not known`);
  }
  const path = findPath(
    chain,
    bundle.x509Authorities,
    now,
    `certificate was signed by no authority of trust domain ${bundle.trustDomain}`,
  );
  bundles.limitsFor?.(id.trustDomain)?.check(id, now);
  const [, ...signing] = path;
  const findings = [lintX509SvidLeaf(leaf), ...signing.map(lintSigningCertificate)].flat();
  return { id, path, findings };
}
