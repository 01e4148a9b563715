import { type SqlBool, sql } from "kysely";
import type { ListEntriesFilter } from "../../contract/entries.ts";
import type { ReadOperation } from "../context.ts";
import { type Position, pageSizeOf, parsePageToken, toPage } from "../page-token.ts";
import { entryConditions } from "./entry-filter.ts";
import { type EntryRow, entryFromRow } from "./entry-rows.ts";

/** Lists in the order of the index that serves the filter, so that no page sorts more than itself. */
export const listEntries: ReadOperation<"listEntries"> = async (db, { filter, page }) => {
  const pageSize = pageSizeOf(page.pageSize);
  const order = orderOf(filter);
  let query = db
    .selectFrom("entries as e")
    .where(await entryConditions(db, filter))
    .selectAll("e")
    .limit(pageSize + 1);
  for (const column of order.columns) query = query.orderBy(column);
  if (page.pageToken !== undefined) {
    const position = parsePageToken(page.pageToken, order.example);
    const columns = sql.join(order.columns.map((column) => sql.ref(column)));
    query = query.where(sql<SqlBool>`(${columns}) > (${sql.join(position)})`);
  }
  return toPage(await query.execute(), pageSize, listedEntry, order.positionOf);
};

/** How many entries a list with the same filter would have. */
export const countEntries: ReadOperation<"countEntries"> = async (db, { filter }) => {
  const row = await db
    .selectFrom("entries as e")
    .where(await entryConditions(db, filter))
    .select((query) => query.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return row.count;
};

/** The order of a list: its columns, the last of them unique, and where a row stands in it. */
interface ListOrder {
  readonly columns: readonly ("e.key" | "e.spiffe_id" | "e.selectors_hash" | "e.last_issued_at")[];
  readonly example: Position;
  positionOf(row: EntryRow): Position;
}

const BY_CREATION: ListOrder = {
  columns: ["e.key"],
  example: [0],
  positionOf: (row) => [row.key],
};

const BY_IDENTITY: ListOrder = {
  columns: ["e.spiffe_id", "e.selectors_hash", "e.key"],
  example: ["", 0, 0],
  positionOf: (row) => [row.spiffe_id, row.selectors_hash, row.key],
};

/** Those first that have been of no use the longest. */
const BY_LAST_USE: ListOrder = {
  columns: ["e.last_issued_at", "e.key"],
  example: [0, 0],
  positionOf: (row) => [row.last_issued_at, row.key],
};

function orderOf(filter: ListEntriesFilter): ListOrder {
  if (filter.unusedSince !== undefined) return BY_LAST_USE;
  return filter.byParentId !== undefined ? BY_IDENTITY : BY_CREATION;
}

/** The listed form of a row. */
export function listedEntry(row: EntryRow): {
  readonly entry: ReturnType<typeof entryFromRow>;
  readonly usage: { readonly lastIssuedAt: number; readonly lastDeliveredAt: number };
} {
  return {
    entry: entryFromRow(row),
    usage: { lastIssuedAt: row.last_issued_at, lastDeliveredAt: row.last_delivered_at },
  };
}
