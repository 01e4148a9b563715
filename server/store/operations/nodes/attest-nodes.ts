import { sortSelectors } from "../../../../proto/selector.ts";
import { failedPrecondition, permissionDenied } from "../../../../runtime/errors/status-error.ts";
import type { AttestedNodeRecord } from "../../records.ts";
import type { WriteOperation } from "../context.ts";

import { findNodeRow, type NodeRow, nodeFromRow, requireNodeRow } from "./node-rows.ts";
import { insertNode, replaceNode } from "./node-table.ts";

/** The ban is looked at again here, in the transaction: one that came while the node attested wins. */
export const recordAttestation: WriteOperation<"recordAttestation"> = async (context, input) => {
  const current = await findNodeRow(context.db, input.id);
  if (current !== undefined) refuseBanned(current);
  const { now, selectors, ...attested } = input;
  const node: AttestedNodeRecord = {
    ...attested,
    selectors: sortSelectors(selectors),
    newSerial: "",
    newExpiresAt: 0,
    newPublicKeyHash: "",
    banned: false,
    agentVersion: current?.agent_version ?? "",
    attestedAt: now,
  };
  if (current !== undefined) return await replaceNode(context, current, node);
  await insertNode(context, node);
  return node;
};

/** The certificate in use stays good until the new one is used, so that a lost reply locks nobody out. */
export const recordNodeRenewal: WriteOperation<"recordNodeRenewal"> = async (context, input) => {
  const current = await requireNodeRow(context.db, input.id);
  refuseBanned(current);
  return await replaceNode(context, current, { ...nodeFromRow(current), ...input });
};

export const activateNodeRenewal: WriteOperation<"activateNodeRenewal"> = async (
  context,
  { id, serial },
) => {
  const current = await requireNodeRow(context.db, id);
  refuseBanned(current);
  const node = nodeFromRow(current);
  if (node.serial === serial) return node;
  if (node.newSerial !== serial) {
    throw failedPrecondition("the certificate is not the agent's current or renewed one", {
      reason: "agent_not_active",
    });
  }
  return await replaceNode(context, current, {
    ...node,
    serial: node.newSerial,
    expiresAt: node.newExpiresAt,
    publicKeyHash: node.newPublicKeyHash,
    newSerial: "",
    newExpiresAt: 0,
    newPublicKeyHash: "",
  });
};

function refuseBanned(node: NodeRow): void {
  if (node.banned === 1) throw permissionDenied("agent is banned", { reason: "agent_banned" });
}
