import { sql } from "kysely";
import type { ReadOperation } from "../context.ts";

export const countFederatingEntries: ReadOperation<"countFederatingEntries"> = async (
  db,
  { trustDomain },
) => {
  // A trust domain's name may hold "_", which would stand for any character.
  const named = `%"${trustDomain.replaceAll("_", "\\_")}"%`;
  const unrestricted = sql<number>`sum(case when e.unrestricted_federation like ${named} escape '\\' then 1 else 0 end)`;
  const row = await db
    .selectFrom("entry_federations as f")
    .innerJoin("entries as e", "e.key", "f.entry_key")
    .select((query) => [query.fn.countAll<number>().as("entries"), unrestricted.as("unrestricted")])
    .where("f.trust_domain", "=", trustDomain)
    .executeTakeFirstOrThrow();
  return { entries: row.entries, unrestricted: row.unrestricted ?? 0 };
};
