import type { ItemResult } from "../../contract/operation.ts";
import type { EntryRecord } from "../../records.ts";
import type { WriteOperation } from "../context.ts";
import { type EntryRow, entryFromRow } from "./entry-rows.ts";
import { entryRowsById, removeEntries } from "./entry-table.ts";
import { entryChanged, entryNotFound } from "./update-entries.ts";

/** Deletes what exists and is what the caller has seen. An ID that is named twice is not found the second time. */
export const deleteEntries: WriteOperation<"deleteEntries"> = async (
  context,
  { ids, expectedRevisions },
) => {
  const rows = await entryRowsById(context.db, ids);
  const doomed: EntryRow[] = [];
  const results = ids.map((id): ItemResult<EntryRecord> => {
    const row = rows.get(id);
    if (row === undefined) return entryNotFound();
    rows.delete(id);
    const entry = entryFromRow(row);
    const expected = expectedRevisions?.get(id) ?? entry.revisionNumber;
    if (expected !== entry.revisionNumber) return entryChanged(entry);
    doomed.push(row);
    return { ok: true, item: entry };
  });
  await removeEntries(context, doomed, "delete");
  return results;
};

/** Ends entries whose time is up, the oldest first. */
export const deleteExpiredEntries: WriteOperation<"deleteExpiredEntries"> = async (
  context,
  { now, limit },
) => {
  const rows = await context.db
    .selectFrom("entries")
    .selectAll()
    .where("expires_at", ">", 0)
    .where("expires_at", "<=", now)
    .orderBy("expires_at")
    .orderBy("key")
    .limit(limit)
    .execute();
  await removeEntries(context, rows, "expire");
  return rows.length;
};
