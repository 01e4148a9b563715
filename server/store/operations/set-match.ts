import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import type { SetMatch } from "../../../proto/selector.ts";
import { invalidArgument } from "../../../runtime/errors/status-error.ts";
import type { Schema } from "../schema.ts";

/** How the members of a set that belongs to a row are stored: one posting per member and row. */
export interface Postings {
  /** The table of postings, such as entry_selectors. */
  readonly table: string;
  /** Its column with the key of the owning row. */
  readonly ownerKey: string;
  /** The owning row's key, such as e.key. */
  readonly key: string;
  /** The owning row's column with the number of members. */
  readonly count: string;
}

/** A member of the set that a filter names: values of the postings' columns. */
export type Member = Readonly<Record<string, string>>;

/** The most members that a filter may name. */
export const MAX_FILTER_MEMBERS = 256;

/**
 * Checks the set that a filter names.
 *
 * @throws {StatusError} INVALID_ARGUMENT when it is empty or too large
 */
export function checkMembers(field: string, members: readonly unknown[]): void {
  if (members.length === 0) throw invalidArgument(`${field}: at least one is required`);
  if (members.length > MAX_FILTER_MEMBERS) {
    throw invalidArgument(`${field}: at most ${MAX_FILTER_MEMBERS} are allowed`);
  }
}

/**
 * The condition that a row's set compares with `members` as `match` says. Each form starts from the postings of named members,
 * so the work follows those and never the number of rows; "exact" and "superset" start from the rarest. "subset" does not match
 * rows whose own set is empty.
 */
export async function matchesSet(
  db: Kysely<Schema>,
  postings: Postings,
  match: SetMatch,
  members: readonly Member[],
): Promise<RawBuilder<SqlBool>> {
  switch (match) {
    case "superset":
      return hasAll(postings, await rarestFirst(db, postings, members));
    case "exact": {
      const all = hasAll(postings, await rarestFirst(db, postings, members));
      return sql`${all} and ${sql.ref(postings.count)} = ${members.length}`;
    }
    case "any":
      return isAmong(postings, anyOf(members));
    case "subset":
      return sql`(${sql.ref(postings.key)}, ${sql.ref(postings.count)}) in (
        select ${sql.ref(postings.ownerKey)}, count(*) from ${sql.table(postings.table)}
        where ${anyOf(members)} group by ${sql.ref(postings.ownerKey)})`;
  }
}

/** The list of the first member's rows drives the query; the others are looked up for each of them. */
function hasAll(postings: Postings, [first, ...others]: readonly Member[]): RawBuilder<SqlBool> {
  const { table, ownerKey, key } = postings;
  const lookups = others.map(
    (member) => sql<SqlBool>`exists (select 1 from ${sql.table(table)}
      where ${equals(member)} and ${sql.ref(ownerKey)} = ${sql.ref(key)})`,
  );
  return and([isAmong(postings, equals(first ?? {})), ...lookups]);
}

function isAmong(
  { table, ownerKey, key }: Postings,
  condition: RawBuilder<SqlBool>,
): RawBuilder<SqlBool> {
  return sql`${sql.ref(key)} in (
    select ${sql.ref(ownerKey)} from ${sql.table(table)} where ${condition})`;
}

/** How far the postings of a member are counted: beyond that it is not rare. */
const COUNT_UP_TO = 1000;

async function rarestFirst(
  db: Kysely<Schema>,
  { table }: Postings,
  members: readonly Member[],
): Promise<readonly Member[]> {
  if (members.length < 2) return members;
  const counted: { readonly member: Member; readonly count: number }[] = [];
  for (const member of members) {
    const { rows } = await sql<{ readonly count: number }>`select count(*) as count from (
      select 1 from ${sql.table(table)} where ${equals(member)} limit ${COUNT_UP_TO}) as some`.execute(
      db,
    );
    counted.push({ member, count: rows[0]?.count ?? 0 });
  }
  counted.sort((a, b) => a.count - b.count);
  return counted.map(({ member }) => member);
}

function anyOf(members: readonly Member[]): RawBuilder<SqlBool> {
  return sql.join(
    members.map((member) => sql`(${equals(member)})`),
    sql` or `,
  );
}

function equals(member: Member): RawBuilder<SqlBool> {
  const conditions = Object.entries(member).map(
    ([column, value]) => sql<SqlBool>`${sql.ref(column)} = ${value}`,
  );
  return and(conditions);
}

function and(conditions: readonly RawBuilder<SqlBool>[]): RawBuilder<SqlBool> {
  return sql.join(conditions, sql` and `);
}
