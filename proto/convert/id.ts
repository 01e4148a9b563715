import { create } from "@bufbuild/protobuf";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { type SPIFFEID, SPIFFEIDSchema } from "../gen/spire/api/types/spiffeid_pb.ts";
import { fieldError, parseField, requireField } from "./field.ts";

/**
 * Reads a SPIFFE ID; that of a trust domain, without a path, is one too.
 *
 * @throws {StatusError} INVALID_ARGUMENT when it is not set or not valid
 */
export function decodeSpiffeId(field: string, message: SPIFFEID | undefined): SpiffeId {
  const { trustDomain, path } = requireField(field, message);
  const parsed = parseField(`${field}.trust_domain`, () => TrustDomain.parse(trustDomain));
  return parseField(`${field}.path`, () => SpiffeId.fromPath(parsed, path));
}

/**
 * Reads the SPIFFE ID of something that lives in a trust domain: it has a path.
 *
 * @throws {StatusError} INVALID_ARGUMENT when it is not set, not valid, foreign or without a path
 */
export function decodeMemberId(
  field: string,
  message: SPIFFEID | undefined,
  trustDomain: TrustDomain,
): SpiffeId {
  const id = decodeSpiffeId(field, message);
  if (!id.memberOf(trustDomain)) {
    throw fieldError(`${field}.trust_domain`, `must be ${JSON.stringify(trustDomain.name)}`);
  }
  if (id.path === "") throw fieldError(`${field}.path`, "must not be empty");
  return id;
}

/** Writes a SPIFFE ID. */
export function encodeSpiffeId(id: SpiffeId): SPIFFEID {
  return create(SPIFFEIDSchema, { trustDomain: id.trustDomain.name, path: id.path });
}

/**
 * Reads a trust domain that callers give as a name or as its SPIFFE ID.
 *
 * @throws {StatusError} INVALID_ARGUMENT when it is not valid, or an ID with a path
 */
export function decodeTrustDomain(field: string, text: string): TrustDomain {
  if (!text.startsWith("spiffe://")) return parseField(field, () => TrustDomain.parse(text));
  const id = parseField(field, () => SpiffeId.parse(text));
  if (id.path !== "") throw fieldError(field, "must be a trust domain, not an ID with a path");
  return id.trustDomain;
}

/**
 * Reads a list of trust domains, each taken once, sorted by name.
 *
 * @throws {StatusError} INVALID_ARGUMENT
 */
export function decodeTrustDomains(
  field: string,
  texts: readonly string[],
): readonly TrustDomain[] {
  if (texts.length === 0) return [];
  const byName = new Map<string, TrustDomain>();
  for (const [index, text] of texts.entries()) {
    const trustDomain = decodeTrustDomain(`${field}[${index}]`, text);
    byName.set(trustDomain.name, trustDomain);
  }
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
