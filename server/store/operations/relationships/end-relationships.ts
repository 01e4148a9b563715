import type { ItemResult } from "../../contract/operation.ts";
import type { RelationshipRecord } from "../../records.ts";
import { bundleFromRow } from "../bundles/bundle-rows.ts";
import { findBundleRow, putBundle } from "../bundles/write-bundles.ts";
import type { WriteContext, WriteOperation } from "../context.ts";
import { relationshipFromRow } from "./relationship-rows.ts";
import { findRelationshipRow, forgetRelationship, putRelationship } from "./relationship-table.ts";
import { keptElsewhere, relationshipNotFound } from "./write-relationships.ts";

export const deleteRelationships: WriteOperation<"deleteRelationships"> = async (
  context,
  { trustDomains, origin, now },
) => {
  const results: ItemResult<RelationshipRecord>[] = [];
  for (const trustDomain of trustDomains) {
    const row = await findRelationshipRow(context.db, trustDomain);
    const current = row && relationshipFromRow(row);
    const refused =
      current === undefined || current.isDeleted
        ? relationshipNotFound()
        : keptElsewhere(current, origin);
    if (refused !== undefined) results.push(refused);
    else if (current !== undefined) {
      await deleteRelationship(context, current, now);
      results.push({ ok: true, item: current });
    }
  }
  return results;
};

// While entries federate with the trust domain its name is kept, so that its bundle is known to be withdrawn.
async function deleteRelationship(
  context: WriteContext,
  current: RelationshipRecord,
  now: number,
): Promise<void> {
  const { db, record } = context;
  const { trustDomain } = current;
  if (await hasEntries(context, trustDomain)) {
    await putRelationship(context, { ...current, isDeleted: true, endedAt: now }, current);
    return;
  }
  await forgetRelationship(context, trustDomain);
  const bundle = await findBundleRow(db, trustDomain);
  if (bundle === undefined) return;
  await db.deleteFrom("bundles").where("trust_domain", "=", trustDomain).execute();
  record({ kind: "bundle", id: trustDomain, action: "delete", before: bundleFromRow(bundle) });
}

export const endRelationships: WriteOperation<"endRelationships"> = async (context, { now }) => {
  const rows = await context.db
    .selectFrom("relationships")
    .selectAll()
    .where("ends_at", ">", 0)
    .where("ends_at", "<=", now)
    .where("ended_at", "=", 0)
    .orderBy("trust_domain")
    .execute();
  const ended: RelationshipRecord[] = [];
  for (const row of rows) {
    const before = relationshipFromRow(row);
    const after = { ...before, endedAt: now };
    await putRelationship(context, after, before);
    ended.push(after);
  }
  return ended;
};

export const recordFetch: WriteOperation<"recordFetch"> = async (
  context,
  { trustDomain, at, bundle },
) => {
  const { db } = context;
  const row = await findRelationshipRow(db, trustDomain);
  if (row === undefined || row.ended_at !== 0) return false;
  await db
    .updateTable("relationships")
    .set({ fetched_at: at })
    .where("trust_domain", "=", trustDomain)
    .execute();
  const stored = await findBundleRow(db, trustDomain);
  return await putBundle(context, bundle, stored);
};

async function hasEntries({ db }: WriteContext, trustDomain: string): Promise<boolean> {
  const row = await db
    .selectFrom("entry_federations")
    .select("entry_key")
    .where("trust_domain", "=", trustDomain)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
