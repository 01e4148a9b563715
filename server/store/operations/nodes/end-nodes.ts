import type { WriteOperation } from "../context.ts";
import { nodeFromRow, requireNodeRow } from "./node-rows.ts";
import { removeNode, replaceNode } from "./node-table.ts";

/** The record stays, so that the agent cannot attest again; its certificates are forgotten. */
export const banNode: WriteOperation<"banNode"> = async (context, { id }) => {
  const current = await requireNodeRow(context.db, id);
  const node = nodeFromRow(current);
  if (node.banned) return node;
  return await replaceNode(context, current, {
    ...node,
    banned: true,
    serial: "",
    newSerial: "",
    newExpiresAt: 0,
    newPublicKeyHash: "",
  });
};

export const deleteNode: WriteOperation<"deleteNode"> = async (context, { id }) => {
  return await removeNode(context, await requireNodeRow(context.db, id), "delete");
};

export const purgeNodes: WriteOperation<"purgeNodes"> = async (context, input) => {
  let query = context.db
    .selectFrom("nodes")
    .selectAll()
    .where("expires_at", "<", input.expiredBefore)
    .where("banned", "=", 0);
  if (!input.includeNonReattestable) query = query.where("can_reattest", "=", 1);
  const rows = await query.orderBy("expires_at").orderBy("key").limit(input.limit).execute();
  for (const row of rows) await removeNode(context, row, "expire");
  return rows.map((row) => row.id);
};

export const setAgentVersion: WriteOperation<"setAgentVersion"> = async (
  context,
  { id, agentVersion },
) => {
  const current = await requireNodeRow(context.db, id);
  if (current.agent_version !== agentVersion) {
    await replaceNode(context, current, { ...nodeFromRow(current), agentVersion });
  }
  return undefined;
};

/** The log hears nothing of it. */
export const recordNodesSeen: WriteOperation<"recordNodesSeen"> = async ({ db }, { seen }) => {
  for (const { id, at } of seen) {
    await db
      .updateTable("nodes")
      .set({ last_seen_at: at })
      .where("id", "=", id)
      .where("last_seen_at", "<", at)
      .execute();
  }
  return undefined;
};
