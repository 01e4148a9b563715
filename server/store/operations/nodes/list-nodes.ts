import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import { sortSelectors } from "../../../../proto/selector.ts";
import type { ListedNode, ListNodesFilter } from "../../contract/nodes.ts";
import type { Schema } from "../../schema.ts";
import type { ReadOperation } from "../context.ts";
import { type Position, pageSizeOf, parsePageToken, toPage } from "../page-token.ts";

import { checkMembers, matchesSet, type Postings } from "../set-match.ts";
import { findNodeRow, type NodeRow, nodeFromRow } from "./node-rows.ts";

export const getNode: ReadOperation<"getNode"> = async (db, { id }) => {
  const row = await findNodeRow(db, id);
  return row === undefined ? undefined : listedNode(row);
};

/** Lists by first attestation; those that expire before an instant in the order in which they do. */
export const listNodes: ReadOperation<"listNodes"> = async (db, { filter, page }) => {
  const pageSize = pageSizeOf(page.pageSize);
  const { columns, example, positionOf } =
    filter.byExpiresBefore === undefined ? BY_ATTESTATION : BY_EXPIRY;
  let query = db
    .selectFrom("nodes as n")
    .selectAll("n")
    .where(await conditions(db, filter))
    .limit(pageSize + 1);
  for (const column of columns) query = query.orderBy(column);
  if (page.pageToken !== undefined) {
    const position = sql.join(parsePageToken(page.pageToken, example));
    query = query.where(
      sql<SqlBool>`(${sql.join(columns.map((column) => sql.ref(column)))}) > (${position})`,
    );
  }
  return toPage(await query.execute(), pageSize, listedNode, positionOf);
};

/** The order of a list: its columns, the last of them unique, and where a row stands in it. */
interface ListOrder {
  readonly columns: readonly ("n.key" | "n.expires_at")[];
  readonly example: Position;
  positionOf(row: NodeRow): Position;
}

const BY_ATTESTATION: ListOrder = {
  columns: ["n.key"],
  example: [0],
  positionOf: (row) => [row.key],
};

const BY_EXPIRY: ListOrder = {
  columns: ["n.expires_at", "n.key"],
  example: [0, 0],
  positionOf: (row) => [row.expires_at, row.key],
};

/** How many nodes a list with the same filter would have. */
export const countNodes: ReadOperation<"countNodes"> = async (db, { filter }) => {
  const row = await db
    .selectFrom("nodes as n")
    .where(await conditions(db, filter))
    .select((query) => query.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return row.count;
};

function listedNode(row: NodeRow): ListedNode {
  return { node: nodeFromRow(row), lastSeenAt: row.last_seen_at };
}

const SELECTORS: Postings = {
  table: "node_selectors",
  ownerKey: "node_key",
  key: "n.key",
  count: "n.selector_count",
};

async function conditions(
  db: Kysely<Schema>,
  filter: ListNodesFilter,
): Promise<RawBuilder<SqlBool>> {
  const all: RawBuilder<SqlBool>[] = [];
  if (filter.byAttestationType !== undefined) {
    all.push(sql`n.attestation_type = ${filter.byAttestationType}`);
  }
  if (filter.bySelectors !== undefined) all.push(await bySelectors(db, filter.bySelectors));
  if (filter.byBanned !== undefined) all.push(sql`n.banned = ${Number(filter.byBanned)}`);
  if (filter.byCanReattest !== undefined) {
    all.push(sql`n.can_reattest = ${Number(filter.byCanReattest)}`);
  }
  if (filter.byExpiresBefore !== undefined) {
    all.push(sql`n.expires_at < ${filter.byExpiresBefore}`);
  }
  return all.length === 0 ? sql`true` : sql.join(all, sql` and `);
}

async function bySelectors(
  db: Kysely<Schema>,
  { match, selectors }: NonNullable<ListNodesFilter["bySelectors"]>,
): Promise<RawBuilder<SqlBool>> {
  const canonical = sortSelectors(selectors);
  checkMembers("by_selector_match", canonical);
  return await matchesSet(
    db,
    SELECTORS,
    match,
    canonical.map(({ type, value }) => ({ type, value })),
  );
}
