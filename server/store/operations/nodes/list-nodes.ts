import { type RawBuilder, type SqlBool, sql } from "kysely";
import { sortSelectors } from "../../../../proto/selector.ts";
import type { ListedNode, ListNodesFilter } from "../../contract/nodes.ts";
import type { ReadOperation } from "../context.ts";
import { pageSizeOf, parsePageToken, toPage } from "../page-token.ts";

import { checkMembers, matchesSet, type Postings } from "../set-match.ts";
import { findNodeRow, type NodeRow, nodeFromRow } from "./node-rows.ts";

export const getNode: ReadOperation<"getNode"> = async (db, { id }) => {
  const row = await findNodeRow(db, id);
  return row === undefined ? undefined : listedNode(row);
};

/** Lists by key, that is by first attestation. */
export const listNodes: ReadOperation<"listNodes"> = async (db, { filter, page }) => {
  const pageSize = pageSizeOf(page.pageSize);
  const [lastKey] = page.pageToken === undefined ? [-1] : parsePageToken(page.pageToken, [0]);
  const rows = await db
    .selectFrom("nodes as n")
    .selectAll("n")
    .where(conditions(filter))
    .where("n.key", ">", lastKey)
    .orderBy("n.key")
    .limit(pageSize + 1)
    .execute();
  return toPage(rows, pageSize, listedNode, (row) => [row.key]);
};

/** How many nodes a list with the same filter would have. */
export const countNodes: ReadOperation<"countNodes"> = async (db, { filter }) => {
  const row = await db
    .selectFrom("nodes as n")
    .where(conditions(filter))
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

function conditions(filter: ListNodesFilter): RawBuilder<SqlBool> {
  const all: RawBuilder<SqlBool>[] = [];
  if (filter.byAttestationType !== undefined) {
    all.push(sql`n.attestation_type = ${filter.byAttestationType}`);
  }
  if (filter.bySelectors !== undefined) all.push(bySelectors(filter.bySelectors));
  if (filter.byBanned !== undefined) all.push(sql`n.banned = ${Number(filter.byBanned)}`);
  if (filter.byCanReattest !== undefined) {
    all.push(sql`n.can_reattest = ${Number(filter.byCanReattest)}`);
  }
  if (filter.byExpiresBefore !== undefined) {
    all.push(sql`n.expires_at < ${filter.byExpiresBefore}`);
  }
  return all.length === 0 ? sql`true` : sql.join(all, sql` and `);
}

function bySelectors({
  match,
  selectors,
}: NonNullable<ListNodesFilter["bySelectors"]>): RawBuilder<SqlBool> {
  const canonical = sortSelectors(selectors);
  checkMembers("by_selector_match", canonical);
  return matchesSet(
    SELECTORS,
    match,
    canonical.map(({ type, value }) => ({ type, value })),
  );
}
