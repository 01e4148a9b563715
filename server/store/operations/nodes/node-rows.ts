import type { Kysely, Selectable } from "kysely";
import { parseSelectorsText } from "../../../../proto/selector.ts";
import { notFound } from "../../../../runtime/errors/status-error.ts";
import type { AttestedNodeRecord } from "../../records.ts";
import type { NodesTable, Schema } from "../../schema.ts";
import { selectorColumns } from "../selector-rows.ts";

/** A row of the nodes table. */
export type NodeRow = Selectable<NodesTable>;

/** Makes the row of a node whose selectors are in canonical order. */
export function nodeToRow(key: number, node: AttestedNodeRecord, lastSeenAt: number): NodeRow {
  return {
    key,
    id: node.id,
    attestation_type: node.attestationType,
    serial: node.serial,
    expires_at: node.expiresAt,
    public_key_hash: node.publicKeyHash,
    new_serial: node.newSerial,
    new_expires_at: node.newExpiresAt,
    new_public_key_hash: node.newPublicKeyHash,
    ...selectorColumns(node.selectors),
    banned: Number(node.banned),
    can_reattest: Number(node.canReattest),
    agent_version: node.agentVersion,
    attested_at: node.attestedAt,
    last_seen_at: lastSeenAt,
  };
}

/** Reads a row. */
export function nodeFromRow(row: NodeRow): AttestedNodeRecord {
  return {
    id: row.id,
    attestationType: row.attestation_type,
    serial: row.serial,
    expiresAt: row.expires_at,
    publicKeyHash: row.public_key_hash,
    newSerial: row.new_serial,
    newExpiresAt: row.new_expires_at,
    newPublicKeyHash: row.new_public_key_hash,
    selectors: parseSelectorsText(row.selectors),
    banned: row.banned === 1,
    canReattest: row.can_reattest === 1,
    agentVersion: row.agent_version,
    attestedAt: row.attested_at,
  };
}

/** The row of a node, or undefined. */
export async function findNodeRow(db: Kysely<Schema>, id: string): Promise<NodeRow | undefined> {
  return await db.selectFrom("nodes").selectAll().where("id", "=", id).executeTakeFirst();
}

/**
 * The row of a node that must exist.
 *
 * @throws {StatusError} NOT_FOUND
 */
export async function requireNodeRow(db: Kysely<Schema>, id: string): Promise<NodeRow> {
  const row = await findNodeRow(db, id);
  if (row === undefined) throw notFound("agent not found");
  return row;
}
