import type { Kysely } from "kysely";
import type { Schema } from "../schema.ts";
import type { Migration } from "./migration.ts";

/** Relationships with foreign trust domains, and entries that may have limited bundles by themselves. */
export const federation: Migration = {
  version: 4,
  name: "federation",
  async up(db: Kysely<Schema>): Promise<void> {
    await db.schema
      .createTable("relationships")
      .addColumn("trust_domain", "text", (name) => name.notNull())
      .addColumn("endpoint", "text", (endpoint) => endpoint.notNull())
      .addColumn("limits", "text", (limits) => limits.notNull())
      .addColumn("ends_at", "bigint", (at) => at.notNull())
      .addColumn("ended_at", "bigint", (at) => at.notNull())
      .addColumn("deleted", "bigint", (deleted) => deleted.notNull())
      .addColumn("origin", "text", (origin) => origin.notNull())
      .addColumn("created_at", "bigint", (at) => at.notNull())
      .addColumn("created_by", "text", (by) => by.notNull())
      .addColumn("updated_by", "text", (by) => by.notNull())
      .addColumn("fetched_at", "bigint", (at) => at.notNull())
      .addPrimaryKeyConstraint("relationships_pk", ["trust_domain"])
      .execute();
    await db.schema
      .alterTable("entries")
      .addColumn("unrestricted_federation", "text", (names) => names.notNull().defaultTo("[]"))
      .execute();
  },
};
