import type { KeyObject } from "node:crypto";
import { SpiffeError } from "../error.ts";
import type { Finding } from "../finding.ts";
import type { TrustDomain } from "../id/spiffe-id.ts";
import { formatJson, type PlainJsonObject } from "../json/plain-json.ts";
import type { JsonObject } from "../json/strict-json.ts";
import { formatPublicJwk } from "../jwt/jwk.ts";
import { Bundle, type JwtAuthority } from "./bundle.ts";
import { declaredUse, type KeyUse, readBundleKeys } from "./bundle-keys.ts";
import { keysOf, parseJsonDocument } from "./jwk-set.ts";

/** How often to look for a newer bundle when its publisher gives no hint (Trust Domain and Bundle 6.1). */
export const DEFAULT_REFRESH_HINT_SECONDS = 300;

/** Longest refresh hint that is taken at its word: one week. */
export const MAX_REFRESH_HINT_SECONDS: number = 7 * 24 * 3600;

const MAX_SEQUENCE = 2n ** 64n - 1n;

export interface BundleDocumentOptions {
  /** Whether WIT authorities are read; without it they are passed over, since WIT-SVID is not stable yet. */
  readonly wit?: boolean;
}

/** A bundle, and what of its document broke a rule or was dropped. */
export interface BundleDocument {
  readonly bundle: Bundle;
  readonly findings: readonly Finding[];
}

/**
 * Reads a SPIFFE bundle document (Trust Domain and Bundle 4). Elements that we cannot use are dropped; a document whose
 * frame is wrong is refused as a whole, and the caller keeps the bundle it had.
 *
 * @param trustDomain whose bundle it is; the document does not say
 * @throws {SpiffeError} "bundle_malformed" | "bundle_too_large"
 */
export function parseBundleDocument(
  trustDomain: TrustDomain,
  text: string | Uint8Array,
  options: BundleDocumentOptions = {},
): BundleDocument {
  return readBundleDocument(trustDomain, parseJsonDocument(text), options);
}

/** The same for a document that has been parsed already, such as one inside a bundle map. */
export function readBundleDocument(
  trustDomain: TrustDomain,
  document: JsonObject,
  options: BundleDocumentOptions,
): BundleDocument {
  const { findings: keyFindings, ...authorities } = readBundleKeys(keysOf(document), (jwk) => {
    const use = declaredUse(jwk);
    return use === "wit-svid" && options.wit !== true ? undefined : use;
  });
  const findings = [...keyFindings];
  const sequence = readSequence(document);
  const refreshHintSeconds = readRefreshHint(document, findings);
  const bundle = new Bundle(trustDomain, { ...authorities, sequence, refreshHintSeconds });
  return { bundle, findings };
}

/** Writes a SPIFFE bundle document, with nothing in it beyond what the standard names. */
export function formatBundleDocument(bundle: Bundle): string {
  const { sequence, refreshHintSeconds: hint } = bundle;
  return formatJson({
    keys: [
      ...bundle.x509Authorities.map((certificate) => ({
        use: "x509-svid",
        ...formatPublicJwk(certificate.publicKey),
        x5c: [Buffer.from(certificate.der).toString("base64")],
      })),
      ...formatJwtAuthorities(bundle.jwtAuthorities.values(), "jwt-svid"),
      ...formatJwtAuthorities(bundle.witAuthorities.values(), "wit-svid"),
    ],
    spiffe_sequence: sequence,
    spiffe_refresh_hint: hint === undefined ? undefined : Math.ceil(hint),
  });
}

/** JWT or WIT authorities as JWKs; without `use` where that is undefined. */
export function formatJwtAuthorities(
  authorities: Iterable<JwtAuthority>,
  use: KeyUse | undefined,
): readonly PlainJsonObject[] {
  return [...authorities].map(({ keyId, publicKey }) => formatAuthority(use, keyId, publicKey));
}

function formatAuthority(
  use: KeyUse | undefined,
  kid: string,
  publicKey: KeyObject,
): PlainJsonObject {
  return { use, kid, ...formatPublicJwk(publicKey) };
}

function readSequence(document: JsonObject): bigint | undefined {
  const value = document["spiffe_sequence"] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "bigint" || value < 0n || value > MAX_SEQUENCE) {
    throw malformed('"spiffe_sequence" must be a whole number of at most 64 bits');
  }
  return value;
}

// Only a hint, hence adjusted rather than refused: what is not positive counts as absent, what is beyond a week as a week.
function readRefreshHint(document: JsonObject, findings: Finding[]): number | undefined {
  const value = document["spiffe_refresh_hint"] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "bigint") throw malformed('"spiffe_refresh_hint" must be a whole number');
  if (value > 0n && value <= BigInt(MAX_REFRESH_HINT_SECONDS)) return Number(value);
  const hint = value > 0n ? MAX_REFRESH_HINT_SECONDS : undefined;
  findings.push({
    code: "refresh_hint_adjusted",
    message: `refresh hint is out of range and was ${hint === undefined ? "passed over" : "cut"}`,
  });
  return hint;
}

function malformed(reason: string): SpiffeError {
  return new SpiffeError("bundle_malformed", `bundle: ${reason}`);
}
