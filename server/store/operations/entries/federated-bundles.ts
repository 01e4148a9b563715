import type { Kysely } from "kysely";
import { Status } from "../../../../runtime/errors/status-error.ts";
import type { ItemRefused } from "../../contract/operation.ts";
import type { Schema } from "../../schema.ts";
import { inChunks } from "../chunks.ts";

/** Those of the trust domains whose bundle the store has. An entry may federate with no other. */
export async function knownBundles(
  db: Kysely<Schema>,
  trustDomains: readonly string[],
): Promise<Set<string>> {
  const known = new Set<string>();
  for (const chunk of inChunks([...new Set(trustDomains)])) {
    const rows = await db
      .selectFrom("bundles")
      .select("trust_domain")
      .where("trust_domain", "in", chunk)
      .execute();
    for (const row of rows) known.add(row.trust_domain);
  }
  return known;
}

/** The refusal of an entry that federates with a trust domain we have no bundle of. */
export function unknownBundle(trustDomain: string): ItemRefused<never> {
  return {
    ok: false,
    code: Status.INVALID_ARGUMENT,
    message: `federates_with: no bundle of ${JSON.stringify(trustDomain)} is known; set it first`,
  };
}
