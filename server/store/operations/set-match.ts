import { type RawBuilder, type SqlBool, sql } from "kysely";
import type { SetMatch } from "../../../proto/selector.ts";
import { invalidArgument } from "../../../runtime/errors/status-error.ts";

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
 * The condition that a row's set compares with `members` as `match` says. Each form starts from the postings of named
 * members, so the work follows those and never the number of rows. "subset" does not match rows whose own set is empty.
 */
export function matchesSet(
  postings: Postings,
  match: SetMatch,
  members: readonly Member[],
): RawBuilder<SqlBool> {
  switch (match) {
    case "superset":
      return and(members.map((member) => has(postings, member)));
    case "exact":
      return sql`${and(members.map((member) => has(postings, member)))}
        and ${sql.ref(postings.count)} = ${sql.lit(members.length)}`;
    case "any":
      return sql`${sql.ref(postings.key)} in (
        select ${sql.ref(postings.ownerKey)} from ${sql.table(postings.table)}
        where ${anyOf(members)})`;
    case "subset":
      return sql`(${sql.ref(postings.key)}, ${sql.ref(postings.count)}) in (
        select ${sql.ref(postings.ownerKey)}, count(*) from ${sql.table(postings.table)}
        where ${anyOf(members)} group by ${sql.ref(postings.ownerKey)})`;
  }
}

function has(postings: Postings, member: Member): RawBuilder<SqlBool> {
  return sql`exists (select 1 from ${sql.table(postings.table)}
    where ${equals(member)} and ${sql.ref(postings.ownerKey)} = ${sql.ref(postings.key)})`;
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
