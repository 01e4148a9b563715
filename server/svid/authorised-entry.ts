import { notFound } from "../../runtime/errors/status-error.ts";
import type { Authorization } from "../entries/authorization.ts";
import type { IssuanceEntry } from "../policy/issuance.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";

/** Which lifetime of an entry applies. */
export type EntryTtl = "x509SvidTtlSeconds" | "jwtSvidTtlSeconds";

/**
 * The entry, if the agent may use it at this moment. That it could a moment ago, or was told about it, does not count.
 *
 * @throws {StatusError} NOT_FOUND, the same for entries that do not exist and entries of others
 */
export function authorisedEntry(
  authorization: Pick<Authorization, "find">,
  agentId: string,
  entryId: string,
): AuthorizedEntryRecord {
  const record = authorization.find(agentId, entryId);
  if (record === undefined) {
    throw notFound("entry not found or not authorized", { reason: "entry_not_found" });
  }
  return record;
}

/** The entry as the decision to issue looks at it. */
export function issuanceEntryOf(record: AuthorizedEntryRecord, ttl: EntryTtl): IssuanceEntry {
  return {
    id: record.id,
    revision: record.revisionNumber,
    spiffeId: record.spiffeId,
    allowedAudiences: record.allowedAudiences,
    downstream: record.downstream,
    ...(record.jwtAlgorithm === "" ? {} : { jwtAlgorithm: record.jwtAlgorithm }),
    ...(record.expiresAt === 0 ? {} : { expiresAt: new Date(record.expiresAt * 1000) }),
    ...(record[ttl] === 0 ? {} : { ttlSeconds: record[ttl] }),
  };
}
