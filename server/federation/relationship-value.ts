import { encodeEnd } from "../../proto/convert/federation-limits.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import { IdPattern } from "../../spiffe/id/id-pattern.ts";
import type { FederationLimitsRecord } from "../store/records.ts";

/** The limits that a record stands for. */
export function limitsOf(record: FederationLimitsRecord): FederationLimits {
  return new FederationLimits({
    any: record.any,
    idPatterns: record.idPatterns.map((pattern) => IdPattern.parse(pattern)),
    audiences: record.audiences,
    endsAt: record.endsAt === 0 ? undefined : new Date(record.endsAt * 1000),
    purpose: record.purpose,
    owner: record.owner,
  });
}

/** The record of checked limits. */
export function limitsRecordOf(limits: FederationLimits): FederationLimitsRecord {
  return {
    any: limits.isAny,
    idPatterns: limits.idPatterns.map(String),
    audiences: limits.audiences,
    endsAt: Number(encodeEnd(limits.endsAt)),
    purpose: limits.purpose,
    owner: limits.owner,
  };
}
