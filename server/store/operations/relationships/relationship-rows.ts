import type { Selectable } from "kysely";
import type { RelationshipRecord } from "../../records.ts";
import type { RelationshipsTable } from "../../schema.ts";

/** A row of the relationships table. */
export type RelationshipRow = Selectable<RelationshipsTable>;

/** Makes the row of a relationship, but for what is kept outside the revision log. */
export function relationshipToRow(
  relationship: RelationshipRecord,
): Omit<RelationshipRow, "fetched_at"> {
  return {
    trust_domain: relationship.trustDomain,
    endpoint: JSON.stringify(relationship.endpoint),
    limits: JSON.stringify(relationship.limits),
    ends_at: relationship.limits.endsAt,
    ended_at: relationship.endedAt,
    deleted: Number(relationship.isDeleted),
    origin: relationship.origin,
    created_at: relationship.createdAt,
    created_by: relationship.createdBy,
    updated_by: relationship.updatedBy,
  };
}

/** Reads a row. */
export function relationshipFromRow(row: RelationshipRow): RelationshipRecord {
  return {
    trustDomain: row.trust_domain,
    endpoint: JSON.parse(row.endpoint),
    limits: JSON.parse(row.limits),
    endedAt: row.ended_at,
    isDeleted: row.deleted === 1,
    origin: row.origin,
    createdAt: row.created_at,
    createdBy: row.created_by,
    updatedBy: row.updated_by,
  };
}
