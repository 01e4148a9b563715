import type { ItemResult } from "../../contract/operation.ts";
import type { EntryRecord } from "../../records.ts";
import type { WriteOperation } from "../context.ts";
import { entryFromRow } from "./entry-rows.ts";
import { entryRowsById, removeEntries } from "./entry-table.ts";
import { entryNotFound } from "./update-entries.ts";

/** Deletes what exists. An ID that is named twice is not found the second time. */
export const deleteEntries: WriteOperation<"deleteEntries"> = async (context, input) => {
  const rows = await entryRowsById(context.db, input.ids);
  await removeEntries(context, [...rows.values()], "delete");
  return input.ids.map((id): ItemResult<EntryRecord> => {
    const row = rows.get(id);
    if (row === undefined) return entryNotFound();
    rows.delete(id);
    return { ok: true, item: entryFromRow(row) };
  });
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
