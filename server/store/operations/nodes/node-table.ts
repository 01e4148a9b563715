import type { Kysely } from "kysely";
import type { ChangeAction } from "../../commit.ts";
import type { AttestedNodeRecord } from "../../records.ts";
import type { Schema } from "../../schema.ts";
import { inChunks } from "../chunks.ts";
import type { WriteContext } from "../context.ts";
import { entryFromRow } from "../entries/entry-rows.ts";
import { removeEntries } from "../entries/entry-table.ts";
import { type NodeRow, nodeFromRow, nodeToRow } from "./node-rows.ts";

/** Marks the alias entry that came with a join token: it goes with the node. */
export const JOIN_TOKEN_ORIGIN = "join_token";

/** Writes a new node with what finds it, and notes it. */
export async function insertNode(
  { db, allocateKeys, record }: WriteContext,
  node: AttestedNodeRecord,
): Promise<void> {
  const key = allocateKeys(1);
  await db
    .insertInto("nodes")
    .values(nodeToRow(key, node, node.attestedAt))
    .execute();
  await insertNodeSelectors(db, key, node);
  record({ kind: "node", id: node.id, action: "create", after: node });
}

/** Replaces a node and what finds it, and notes the update. */
export async function replaceNode(
  { db, record }: WriteContext,
  current: NodeRow,
  after: AttestedNodeRecord,
): Promise<AttestedNodeRecord> {
  const before = nodeFromRow(current);
  const row = nodeToRow(current.key, after, current.last_seen_at);
  await db.updateTable("nodes").set(row).where("key", "=", current.key).execute();
  if (row.selectors !== current.selectors) {
    await deleteNodeSelectors(db, current.key, before);
    await insertNodeSelectors(db, current.key, after);
  }
  record({ kind: "node", id: after.id, action: "update", before, after });
  return after;
}

/** Removes a node, what finds it, and the alias entry that its join token brought; notes all of it. */
export async function removeNode(
  context: WriteContext,
  row: NodeRow,
  action: Extract<ChangeAction, "delete" | "expire">,
): Promise<AttestedNodeRecord> {
  const { db, record } = context;
  const node = nodeFromRow(row);
  await deleteNodeSelectors(db, row.key, node);
  await db.deleteFrom("nodes").where("key", "=", row.key).execute();
  record({ kind: "node", id: node.id, action, before: node });
  const children = await db
    .selectFrom("entries")
    .selectAll()
    .where("parent_id", "=", node.id)
    .execute();
  const aliases = children.filter(
    (child) => entryFromRow(child).side.origin?.kind === JOIN_TOKEN_ORIGIN,
  );
  await removeEntries(context, aliases, action);
  return node;
}

async function insertNodeSelectors(
  db: Kysely<Schema>,
  key: number,
  node: AttestedNodeRecord,
): Promise<void> {
  const rows = node.selectors.map(({ type, value }) => ({ type, value, node_key: key }));
  for (const chunk of inChunks(rows)) await db.insertInto("node_selectors").values(chunk).execute();
}

async function deleteNodeSelectors(
  db: Kysely<Schema>,
  key: number,
  node: AttestedNodeRecord,
): Promise<void> {
  for (const { type, value } of node.selectors) {
    await db
      .deleteFrom("node_selectors")
      .where("type", "=", type)
      .where("value", "=", value)
      .where("node_key", "=", key)
      .execute();
  }
}
