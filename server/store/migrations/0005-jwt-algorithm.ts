import type { Kysely } from "kysely";
import type { Schema } from "../schema.ts";
import type { Migration } from "./migration.ts";

/** What the JWT-SVIDs of an entry are signed with. Nobody said so before. */
export const jwtAlgorithm: Migration = {
  version: 5,
  name: "jwt-algorithm",
  async up(db: Kysely<Schema>): Promise<void> {
    await db.schema
      .alterTable("entries")
      .addColumn("jwt_algorithm", "text", (name) => name.notNull().defaultTo(""))
      .execute();
  },
};
