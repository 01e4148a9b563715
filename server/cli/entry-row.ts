import type { EntryResult, EntryWithMetadata } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { Entry } from "../../proto/gen/spire/api/types/entry_pb.ts";
import type { Row } from "../../runtime/cli/output.ts";
import { idText, selectorText, timeOf } from "./wire-text.ts";

/** The columns of a table of entries. */
export const entryColumns: readonly string[] = [
  "id",
  "spiffe_id",
  "parent_id",
  "selectors",
  "owner",
  "expires_at",
];

/** An entry as it is printed; the names are those that a file of entries uses. */
export function entryRow({ entry, metadata }: Partial<EntryWithMetadata>): Row {
  return {
    ...(entry && stockRow(entry)),
    ...(metadata && {
      owner: metadata.owner,
      purpose: metadata.purpose,
      ticket: metadata.ticket,
      labels: metadata.labels,
      review_by: timeOf(metadata.reviewBy),
      allowed_audiences: metadata.allowedAudiences,
      unrestricted_federation: metadata.unrestrictedFederation,
      instance_scope: metadata.instanceScope,
      jwt_algorithm: metadata.jwtAlgorithm,
      created_by: metadata.createdBy,
      updated_by: metadata.updatedBy,
      last_issued: timeOf(metadata.lastIssued),
      last_delivered: timeOf(metadata.lastDelivered),
    }),
  };
}

function stockRow(entry: Entry): Row {
  return {
    id: entry.id,
    spiffe_id: idText(entry.spiffeId),
    parent_id: idText(entry.parentId),
    selectors: entry.selectors.map(selectorText),
    x509_svid_ttl: entry.x509SvidTtl || undefined,
    jwt_svid_ttl: entry.jwtSvidTtl || undefined,
    federates_with: entry.federatesWith,
    dns_names: entry.dnsNames,
    admin: entry.admin || undefined,
    downstream: entry.downstream || undefined,
    store_svid: entry.storeSvid || undefined,
    hint: entry.hint,
    expires_at: timeOf(entry.expiresAt),
    created_at: timeOf(entry.createdAt),
    revision_number: entry.revisionNumber,
  };
}

/** What became of one entry of a batch. */
export function resultRow(result: EntryResult): Row {
  const { status, entry, warnings } = result;
  return {
    ...(entry && entryRow(entry)),
    status: status?.code ? status.message : "ok",
    warnings,
  };
}
