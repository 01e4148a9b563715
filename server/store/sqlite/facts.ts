import { sql } from "kysely";
import type { DatabaseFacts } from "../migrations/migration.ts";

/** SQLite's side of the migrations. */
export const sqliteFacts: DatabaseFacts = {
  // Exactly this word makes the column an alias of the row ID, so that no second index is kept.
  rowKey: sql`integer`,
  bytes: sql`blob`,
  clustered: sql`without rowid`,
};
