import { SpiffeError } from "../error.ts";
import type { Finding } from "../finding.ts";
import { TrustDomain } from "../id/spiffe-id.ts";
import { isJsonObject } from "../json/strict-json.ts";
import type { Bundle } from "./bundle.ts";
import { type BundleDocumentOptions, readBundleDocument } from "./bundle-document.ts";
import { BundleSet } from "./bundle-set.ts";
import { parseJsonDocument } from "./jwk-set.ts";

/** The bundles of a map, and what of it broke a rule or was dropped. */
export interface BundleMap {
  readonly bundles: BundleSet;
  readonly findings: readonly Finding[];
}

/**
 * Reads a bundle map (Trust Domain and Bundle 5): the bundles of many trust domains at one moment. It is taken as a whole
 * or not at all, so that one bad bundle cannot make a trust domain vanish. Refresh hints of the bundles inside are not
 * kept, since they must not influence how the map is refreshed (5.1.1).
 *
 * @throws {SpiffeError} "bundle_map_malformed" | "bundle_malformed" | "bundle_too_large"
 */
export function parseBundleMap(
  text: string | Uint8Array,
  options: BundleDocumentOptions = {},
): BundleMap {
  const trustDomains = parseJsonDocument(text)["trust_domains"];
  if (!isJsonObject(trustDomains)) throw malformed('"trust_domains" must be an object');
  const bundles: Bundle[] = [];
  const findings: Finding[] = [];
  for (const [name, document] of Object.entries(trustDomains)) {
    const trustDomain = parseName(name);
    if (!isJsonObject(document)) throw malformed(`the bundle of ${trustDomain} is not an object`);
    const parsed = readBundleDocument(trustDomain, document, options);
    bundles.push(parsed.bundle.withRefreshHint(undefined));
    for (const { code, message } of parsed.findings) {
      findings.push({ code, message: `${trustDomain}: ${message}` });
    }
  }
  return { bundles: new BundleSet(bundles), findings };
}

function parseName(name: string): TrustDomain {
  try {
    return TrustDomain.parse(name);
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw new SpiffeError("bundle_map_malformed", `bundle map: ${cause.message}`, { cause });
  }
}

function malformed(reason: string): SpiffeError {
  return new SpiffeError("bundle_map_malformed", `bundle map: ${reason}`);
}
