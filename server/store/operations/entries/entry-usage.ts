import type { Kysely } from "kysely";
import type { EntryUse } from "../../contract/entries.ts";
import type { Schema } from "../../schema.ts";
import type { WriteOperation } from "../context.ts";

/** Raises the two instants. The log hears nothing of it: this is what keeps issuing from growing the log. */
export const recordEntryUse: WriteOperation<"recordEntryUse"> = async (
  { db },
  { issued, delivered },
) => {
  for (const use of issued) await raise(db, "last_issued_at", use);
  for (const use of delivered) await raise(db, "last_delivered_at", use);
  return undefined;
};

async function raise(
  db: Kysely<Schema>,
  column: "last_issued_at" | "last_delivered_at",
  use: EntryUse,
): Promise<void> {
  await db
    .updateTable("entries")
    .set({ [column]: use.at })
    .where("id", "=", use.entryId)
    .where(column, "<", use.at)
    .execute();
}
