import { create } from "@bufbuild/protobuf";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import { IdPattern } from "../../spiffe/id/id-pattern.ts";
import {
  FederationLimitsSchema,
  type FederationLimits as WireLimits,
} from "../gen/assay/federation/v1/limits_pb.ts";
import {
  checkCount,
  decodeText,
  decodeUnixSeconds,
  encodeUnixSeconds,
  fieldError,
} from "./field.ts";

/** Most patterns, and most audiences, of one relationship. */
export const MAX_LIMITS = 128;
const MAX_PATTERN_BYTES = 2048;
const MAX_AUDIENCE_BYTES = 1024;
const MAX_TEXT_BYTES = 1024;

/**
 * Reads the limits of a relationship; whose they are stands beside them.
 *
 * @throws {StatusError} INVALID_ARGUMENT with the first field that breaks a rule
 */
export function decodeFederationLimits(field: string, message: WireLimits): FederationLimits {
  checkCount(`${field}.id_patterns`, message.idPatterns, MAX_LIMITS);
  checkCount(`${field}.audiences`, message.audiences, MAX_LIMITS);
  if (message.any && message.idPatterns.length + message.audiences.length > 0) {
    throw fieldError(`${field}.any`, "excludes patterns and audiences");
  }
  const text = { maxBytes: MAX_TEXT_BYTES };
  const audience = { maxBytes: MAX_AUDIENCE_BYTES, required: true };
  return new FederationLimits({
    any: message.any,
    idPatterns: message.idPatterns.map((each, i) =>
      decodePattern(`${field}.id_patterns[${i}]`, each),
    ),
    audiences: message.audiences.map((each, i) =>
      decodeText(`${field}.audiences[${i}]`, each, audience),
    ),
    endsAt: decodeUnixSeconds(`${field}.ends_at`, message.endsAt),
    purpose: decodeText(`${field}.purpose`, message.purpose, text),
    owner: decodeText(`${field}.owner`, message.owner, text),
  });
}

export function encodeFederationLimits(trustDomain: string, limits: FederationLimits): WireLimits {
  return create(FederationLimitsSchema, {
    trustDomain,
    any: limits.isAny,
    idPatterns: limits.idPatterns.map(String),
    audiences: [...limits.audiences],
    endsAt: encodeEnd(limits.endsAt),
    purpose: limits.purpose,
    owner: limits.owner,
  });
}

/** When a relationship ends, in Unix seconds. Zero says never, so an end before time began is one second after. */
export function encodeEnd(endsAt: Date | undefined): bigint {
  const seconds = encodeUnixSeconds(endsAt);
  return endsAt !== undefined && seconds < 1n ? 1n : seconds;
}

function decodePattern(field: string, text: string): IdPattern {
  decodeText(field, text, { maxBytes: MAX_PATTERN_BYTES });
  try {
    return IdPattern.parse(text);
  } catch (err) {
    throw fieldError(field, err instanceof Error ? err.message : "is no pattern");
  }
}
