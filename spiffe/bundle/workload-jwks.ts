import type { Finding } from "../finding.ts";
import { formatJson } from "../json/plain-json.ts";
import type { JwtAuthority } from "./bundle.ts";
import { formatJwtAuthorities } from "./bundle-document.ts";
import { declaredUse, type KeyUse, readBundleKeys } from "./bundle-keys.ts";
import { keysOf, parseJsonDocument } from "./jwk-set.ts";

/** The kinds of authorities that the Workload API hands out as JWK Sets. */
export type WorkloadJwksUse = Extract<KeyUse, "jwt-svid" | "wit-svid">;

/** The authorities of a JWK Set from the Workload API, and what was dropped from it. */
export interface WorkloadJwks {
  readonly authorities: readonly JwtAuthority[];
  readonly findings: readonly Finding[];
}

/**
 * Reads a JWK Set from the Workload API (6.2.2, 7.2.2). Servers may leave `use` out there; an element that declares
 * another use is dropped, so that no key ever verifies a kind of token it was not published for.
 *
 * @throws {SpiffeError} "bundle_malformed" | "bundle_too_large": the message it came in is to be refused
 */
export function parseWorkloadJwks(use: WorkloadJwksUse, text: string | Uint8Array): WorkloadJwks {
  const keys = keysOf(parseJsonDocument(text));
  const read = readBundleKeys(keys, (jwk) => (jwk["use"] === undefined ? use : sameUse(jwk, use)));
  const authorities = use === "jwt-svid" ? read.jwtAuthorities : read.witAuthorities;
  return { authorities, findings: read.findings };
}

/**
 * Writes a JWK Set for the Workload API. JWT authorities go without `use`, as clients built on general JOSE libraries
 * expect; WIT authorities carry theirs.
 */
export function formatWorkloadJwks(
  use: WorkloadJwksUse,
  authorities: Iterable<JwtAuthority>,
): string {
  const declared = use === "wit-svid" ? use : undefined;
  return formatJson({ keys: formatJwtAuthorities(authorities, declared) });
}

function sameUse(jwk: Parameters<typeof declaredUse>[0], use: KeyUse): KeyUse | undefined {
  return declaredUse(jwk) === use ? use : undefined;
}
