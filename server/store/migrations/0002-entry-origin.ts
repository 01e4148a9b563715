import type { Kysely } from "kysely";
import type { Schema } from "../schema.ts";
import type { Migration } from "./migration.ts";

/** Finds the entries that came from one cluster: what its registrar reads when it starts. There were none before. */
export const entryOrigin: Migration = {
  version: 2,
  name: "entry-origin",
  async up(db: Kysely<Schema>): Promise<void> {
    await db.schema
      .alterTable("entries")
      .addColumn("origin_cluster", "text", (column) => column.notNull().defaultTo(""))
      .execute();
    await db.schema
      .createIndex("entries_origin_cluster")
      .on("entries")
      .columns(["origin_cluster", "key"])
      .execute();
  },
};
