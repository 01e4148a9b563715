import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import { sortSelectors } from "../../../../proto/selector.ts";
import type { ListEntriesFilter } from "../../contract/entries.ts";
import type { Schema } from "../../schema.ts";
import { canonicalNames } from "../selector-rows.ts";
import { checkMembers, matchesSet, type Postings } from "../set-match.ts";

const SELECTORS: Postings = {
  table: "entry_selectors",
  ownerKey: "entry_key",
  key: "e.key",
  count: "e.selector_count",
};

const FEDERATIONS: Postings = {
  table: "entry_federations",
  ownerKey: "entry_key",
  key: "e.key",
  count: "e.federation_count",
};

/** The filter as conditions on entries `e`. Each has an index of its own; the tests hold the plans to it. */
export async function entryConditions(
  db: Kysely<Schema>,
  filter: ListEntriesFilter,
): Promise<RawBuilder<SqlBool>> {
  const all: RawBuilder<SqlBool>[] = [];
  if (filter.bySpiffeId !== undefined) all.push(sql`e.spiffe_id = ${filter.bySpiffeId}`);
  if (filter.byParentId !== undefined) all.push(sql`e.parent_id = ${filter.byParentId}`);
  if (filter.bySelectors !== undefined) all.push(await bySelectors(db, filter.bySelectors));
  if (filter.byFederatesWith !== undefined) {
    all.push(await byFederatesWith(db, filter.byFederatesWith));
  }
  all.push(...commonConditions(filter, all.length > 0));
  if (filter.unusedSince !== undefined) {
    const since = filter.unusedSince;
    all.push(sql`e.created_at < ${since} and e.last_issued_at < ${since}`);
  }
  return all.length === 0 ? sql`true` : sql.join(all, sql` and `);
}

/**
 * Conditions on columns in which most entries hold the same value. Their index may drive the query only when nothing better does,
 * and of several only one, that with the rarest value; SQLite keeps no statistics to know that by itself.
 */
function commonConditions(
  { byHint, byOwner, byDownstream, byOriginCluster }: ListEntriesFilter,
  isDriven: boolean,
): RawBuilder<SqlBool>[] {
  const wanted: { readonly column: string; readonly value: string | number }[] = [];
  if (byHint !== undefined) wanted.push({ column: "e.hint", value: byHint });
  if (byOwner !== undefined) wanted.push({ column: "e.owner", value: byOwner });
  if (byOriginCluster !== undefined) {
    wanted.push({ column: "e.origin_cluster", value: byOriginCluster });
  }
  if (byDownstream !== undefined) {
    wanted.push({ column: "e.downstream", value: Number(byDownstream) });
  }
  const isRare = ({ value }: { readonly value: string | number }): boolean =>
    value !== "" && value !== 0;
  const driver = isDriven ? undefined : (wanted.find(isRare) ?? wanted[0]);
  return wanted.map((condition) => {
    const column = sql.ref(condition.column);
    // An expression is not looked up in the index of its column.
    const operand = condition === driver ? column : sql`coalesce(${column}, null)`;
    return sql`${operand} = ${condition.value}`;
  });
}

async function bySelectors(
  db: Kysely<Schema>,
  { match, selectors }: NonNullable<ListEntriesFilter["bySelectors"]>,
): Promise<RawBuilder<SqlBool>> {
  const canonical = sortSelectors(selectors);
  checkMembers("by_selectors", canonical);
  return await matchesSet(
    db,
    SELECTORS,
    match,
    canonical.map(({ type, value }) => ({ type, value })),
  );
}

async function byFederatesWith(
  db: Kysely<Schema>,
  { match, trustDomains }: NonNullable<ListEntriesFilter["byFederatesWith"]>,
): Promise<RawBuilder<SqlBool>> {
  const names = canonicalNames(trustDomains);
  checkMembers("by_federates_with", names);
  return await matchesSet(
    db,
    FEDERATIONS,
    match,
    names.map((name) => ({ trust_domain: name })),
  );
}
