import type { ReadOperation } from "../context.ts";
import { relationshipFromRow } from "./relationship-rows.ts";

export const listRelationships: ReadOperation<"listRelationships"> = async (db) => {
  const rows = await db.selectFrom("relationships").selectAll().orderBy("trust_domain").execute();
  return rows.map(relationshipFromRow);
};

export const listFetches: ReadOperation<"listFetches"> = async (db) => {
  const rows = await db
    .selectFrom("relationships")
    .select(["trust_domain", "fetched_at"])
    .where("fetched_at", ">", 0)
    .execute();
  return new Map(rows.map((row) => [row.trust_domain, row.fetched_at]));
};
