import type { Random } from "../../runtime/random.ts";
import type { Bundle } from "../bundle/bundle.ts";
import { formatBundleDocument } from "../bundle/bundle-document.ts";
import type { BundleSet } from "../bundle/bundle-set.ts";
import { formatWorkloadJwks } from "../bundle/workload-jwks.ts";
import { SpiffeError } from "../error.ts";
import { formatJson } from "../json/plain-json.ts";
import type { X509Svid } from "../svid/x509-svid.ts";
import type { Certificate } from "../x509/certificate.ts";
import { formatCertificatesPem } from "../x509/certificate-pem.ts";
import { formatPem } from "../x509/pem.ts";
import { formatPkcs12 } from "../x509/pkcs12.ts";
import type { FileSpec, KeysFile, PemFile, PemPart, Pkcs12File } from "./file-spec.ts";
import type { IdentityState } from "./identity-state.ts";

/**
 * The content of a file. Undefined when it is about a trust domain whose bundle was not handed out: with an old one in its place
 * that trust domain would be trusted for ever.
 *
 * @param now decides which CA certificates have ended, for files that leave those out
 */
export function renderFile(
  file: FileSpec,
  state: IdentityState,
  now: Date,
  random: Random,
): Uint8Array | undefined {
  try {
    return render(file, state, now, random);
  } catch (err) {
    if (err instanceof SpiffeError && err.code === "bundle_not_found") return undefined;
    throw err;
  }
}

function render(file: FileSpec, state: IdentityState, now: Date, random: Random): Uint8Array {
  switch (file.type) {
    case "pem":
      return Buffer.from(renderPem(file, state, now));
    case "pkcs12":
      return renderPkcs12(file, state, random);
    case "jwt":
      return Buffer.from(state.tokens.get(file.name) ?? "");
    case "jwks":
    case "bundle-document":
    case "jwks-by-trust-domain":
      return Buffer.from(renderKeys(file, state));
  }
}

function renderPem(file: PemFile, state: IdentityState, now: Date): string {
  const { omitExpired = false } = file;
  const isKept = ({ notAfter }: Certificate): boolean => !omitExpired || notAfter > now;
  const partOf = (part: PemPart): string => {
    if (part === "key") return formatPem("PRIVATE KEY", state.svid.privateKeyPkcs8);
    return formatCertificatesPem(certificatesOf(part, file, state).filter(isKept));
  };
  return file.holds.map(partOf).join("");
}

function certificatesOf(
  part: Exclude<PemPart, "key">,
  file: Pick<PemFile, "trustDomain">,
  { svid, bundles }: IdentityState,
): readonly Certificate[] {
  switch (part) {
    case "chain":
      return svid.certificates;
    case "leaf":
      return [svid.leaf];
    case "intermediates":
      return svid.certificates.slice(1);
    case "bundle":
      return bundleOf(file, svid, bundles).x509Authorities;
    case "federated":
      return [...bundles]
        .filter(({ trustDomain }) => !trustDomain.equals(svid.id.trustDomain))
        .flatMap(({ x509Authorities }) => x509Authorities);
  }
}

function renderPkcs12(file: Pkcs12File, state: IdentityState, random: Random): Uint8Array {
  const { svid } = state;
  const trusted = file.holds.flatMap((part) =>
    part === "identity" ? [] : certificatesOf(part, file, state),
  );
  const content = {
    alias: file.alias,
    trusted,
    ...(file.holds.includes("identity") ? { identity: svid } : {}),
  };
  return formatPkcs12(content, file.password, random);
}

function renderKeys(file: KeysFile, { svid, bundles, jwtBundles }: IdentityState): string {
  if (file.type === "jwks-by-trust-domain") {
    const sets = [...jwtBundles].map(({ trustDomain, jwtAuthorities }) => [
      trustDomain.name,
      Buffer.from(formatWorkloadJwks("jwt-svid", jwtAuthorities.values())).toString("base64"),
    ]);
    return formatJson(Object.fromEntries(sets));
  }
  const { jwtAuthorities } = bundleOf(file, svid, jwtBundles);
  if (file.type === "jwks") return formatWorkloadJwks("jwt-svid", jwtAuthorities.values());
  const bundle = bundleOf(file, svid, bundles);
  return formatBundleDocument(bundle.withJwtAuthorities(jwtAuthorities.values()));
}

function bundleOf(
  file: Pick<PemFile, "trustDomain">,
  { id }: X509Svid,
  bundles: BundleSet,
): Bundle {
  const trustDomain = file.trustDomain ?? id.trustDomain;
  const bundle = bundles.bundleFor(trustDomain);
  if (bundle !== undefined) return bundle;
  throw new SpiffeError("bundle_not_found", `no bundle of ${trustDomain} was handed out`);
}
