import type { Kysely } from "kysely";
import type { RelationshipRecord } from "../../records.ts";
import type { Schema } from "../../schema.ts";
import type { WriteContext } from "../context.ts";
import {
  type RelationshipRow,
  relationshipFromRow,
  relationshipToRow,
} from "./relationship-rows.ts";

/** The row of a relationship, or undefined. */
export async function findRelationshipRow(
  db: Kysely<Schema>,
  trustDomain: string,
): Promise<RelationshipRow | undefined> {
  return await db
    .selectFrom("relationships")
    .selectAll()
    .where("trust_domain", "=", trustDomain)
    .executeTakeFirst();
}

/** Writes a relationship over the one there is, if it differs from it. */
export async function putRelationship(
  { db, record }: WriteContext,
  after: RelationshipRecord,
  before: RelationshipRecord | undefined,
): Promise<void> {
  const row = relationshipToRow(after);
  const id = after.trustDomain;
  if (before === undefined) {
    await db
      .insertInto("relationships")
      .values({ ...row, fetched_at: 0 })
      .execute();
    record({ kind: "federation", id, action: "create", after });
    return;
  }
  if (JSON.stringify(row) === JSON.stringify(relationshipToRow(before))) return;
  await db.updateTable("relationships").set(row).where("trust_domain", "=", id).execute();
  record({ kind: "federation", id, action: "update", before, after });
}

/** Takes a relationship out, with its name. */
export async function forgetRelationship(
  { db, record }: WriteContext,
  trustDomain: string,
): Promise<void> {
  const row = await findRelationshipRow(db, trustDomain);
  if (row === undefined) return;
  await db.deleteFrom("relationships").where("trust_domain", "=", trustDomain).execute();
  record({
    kind: "federation",
    id: trustDomain,
    action: "delete",
    before: relationshipFromRow(row),
  });
}

/** Whoever sets or deletes a bundle by hand decides about it, also where a relationship has been deleted. */
export async function forgetDeleted(context: WriteContext, trustDomain: string): Promise<void> {
  const relationship = await findRelationshipRow(context.db, trustDomain);
  if (relationship?.deleted === 1) await forgetRelationship(context, trustDomain);
}
