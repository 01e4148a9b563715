import { type Kysely, sql } from "kysely";
import { failedPrecondition } from "../../../runtime/errors/status-error.ts";
import type { Schema } from "../schema.ts";
import type { DatabaseFacts, Migration } from "./migration.ts";

/**
 * Brings the schema up to the last of `migrations`, each step in a transaction of its own, so that a kill in between leaves a
 * whole number of steps. There is no way down: an older program refuses a newer store.
 *
 * @returns the version that the schema has now
 * @throws {StatusError} FAILED_PRECONDITION when the store was written by a newer program
 */
export async function migrate(
  db: Kysely<Schema>,
  migrations: readonly Migration[],
  facts: DatabaseFacts,
): Promise<number> {
  await db.schema
    .createTable("schema_migrations")
    .ifNotExists()
    .addColumn("version", "bigint", (version) => version.primaryKey())
    .addColumn("name", "text", (name) => name.notNull())
    .execute();
  const newest = migrations.at(-1)?.version ?? 0;
  const current = await schemaVersion(db);
  if (current > newest) {
    throw failedPrecondition(
      `the store has schema version ${current}, and this program knows versions up to ${newest}: ` +
        "start the release that wrote it, or restore a backup made by this one",
      { reason: "store_too_new" },
    );
  }
  for (const migration of migrations) {
    if (migration.version <= current) continue;
    await db.transaction().execute(async (tx) => {
      await migration.up(tx, facts);
      await tx
        .insertInto("schema_migrations")
        .values({ version: migration.version, name: migration.name })
        .execute();
    });
  }
  return newest;
}

/** The last migration that was applied; 0 for a store without tables. */
export async function schemaVersion(db: Kysely<Schema>): Promise<number> {
  const row = await db
    .selectFrom("schema_migrations")
    .select(sql<number>`coalesce(max(version), 0)`.as("version"))
    .executeTakeFirstOrThrow();
  return row.version;
}
