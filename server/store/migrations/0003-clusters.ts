import type { Kysely } from "kysely";
import type { Schema } from "../schema.ts";
import type { Migration } from "./migration.ts";

/** Kubernetes clusters that were added while running. */
export const clusters: Migration = {
  version: 3,
  name: "clusters",
  async up(db: Kysely<Schema>): Promise<void> {
    await db.schema
      .createTable("clusters")
      .addColumn("name", "text", (name) => name.notNull())
      .addColumn("access", "text", (access) => access.notNull())
      .addColumn("rules", "text", (rules) => rules.notNull())
      .addColumn("created_at", "bigint", (at) => at.notNull())
      .addColumn("created_by", "text", (by) => by.notNull())
      .addPrimaryKeyConstraint("clusters_pk", ["name"])
      .execute();
  },
};
