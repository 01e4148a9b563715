import type { Selectable } from "kysely";
import { alreadyExists, invalidArgument } from "../../../runtime/errors/status-error.ts";
import type { EntryOriginRecord, JoinTokenRecord } from "../records.ts";
import type { JoinTokensTable } from "../schema.ts";
import { inChunks } from "./chunks.ts";
import type { ReadOperation, WriteContext, WriteOperation } from "./context.ts";
import { createEntries } from "./entries/create-entries.ts";
import { JOIN_TOKEN_ORIGIN } from "./nodes/node-table.ts";

/** Marks the alias entry, so that it goes when the node goes. */
const JOIN_TOKEN_ALIAS: EntryOriginRecord = {
  kind: JOIN_TOKEN_ORIGIN,
  cluster: "",
  namespace: "",
  name: "",
  uid: "",
  generation: 0,
};

export const getJoinToken: ReadOperation<"getJoinToken"> = async (db, { tokenHash }) => {
  const row = await db
    .selectFrom("join_tokens")
    .selectAll()
    .where("token_hash", "=", tokenHash)
    .executeTakeFirst();
  return row && tokenFromRow(row);
};

export const createJoinToken: WriteOperation<"createJoinToken"> = async (context, input) => {
  const { db, record } = context;
  const { tokenHash, expiresAt, alias, now, actor } = input;
  if ((await getJoinToken(db, { tokenHash })) !== undefined) {
    throw alreadyExists("join token already exists");
  }
  const token: JoinTokenRecord = {
    tokenHash,
    expiresAt,
    publicKeyHash: "",
    createdAt: now,
    createdBy: actor,
  };
  await db
    .insertInto("join_tokens")
    .values({
      token_hash: tokenHash,
      expires_at: expiresAt,
      public_key_hash: "",
      created_at: now,
      created_by: actor,
    })
    .execute();
  record({ kind: "join_token", id: tokenHash, action: "create", after: token });
  if (alias !== undefined) {
    const entry = { ...alias, side: { ...alias.side, origin: JOIN_TOKEN_ALIAS } };
    const [result] = await createEntries(context, { entries: [entry], now, actor });
    if (result?.ok === false) throw alreadyExists(`alias of the join token: ${result.message}`);
  }
  return token;
};

/** An unknown token and one that another key has claimed get one answer: who asks must not learn which tokens exist. */
export const claimJoinToken: WriteOperation<"claimJoinToken"> = async (
  { db, record },
  { tokenHash, publicKeyHash, now },
) => {
  const token = await getJoinToken(db, { tokenHash });
  const claimedByOther =
    token !== undefined && token.publicKeyHash !== "" && token.publicKeyHash !== publicKeyHash;
  if (token === undefined || claimedByOther) {
    throw invalidArgument("failed to attest: join token does not exist or has already been used", {
      reason: "join_token_unknown",
    });
  }
  if (token.expiresAt <= now) {
    throw invalidArgument("join token expired", { reason: "join_token_expired" });
  }
  if (token.publicKeyHash === publicKeyHash) return token;
  const claimed = { ...token, publicKeyHash };
  await db
    .updateTable("join_tokens")
    .set({ public_key_hash: publicKeyHash })
    .where("token_hash", "=", tokenHash)
    .execute();
  record({ kind: "join_token", id: tokenHash, action: "update", before: token, after: claimed });
  return claimed;
};

export const finishJoinToken: WriteOperation<"finishJoinToken"> = async (context, input) => {
  const token = await getJoinToken(context.db, input);
  if (token !== undefined) await removeTokens(context, [token], "delete");
  return undefined;
};

export const pruneJoinTokens: WriteOperation<"pruneJoinTokens"> = async (
  context,
  { now, limit },
) => {
  const rows = await context.db
    .selectFrom("join_tokens")
    .selectAll()
    .where("expires_at", "<=", now)
    .orderBy("expires_at")
    .limit(limit)
    .execute();
  await removeTokens(context, rows.map(tokenFromRow), "expire");
  return rows.length;
};

async function removeTokens(
  { db, record }: WriteContext,
  tokens: readonly JoinTokenRecord[],
  action: "delete" | "expire",
): Promise<void> {
  for (const chunk of inChunks(tokens)) {
    const hashes = chunk.map((token) => token.tokenHash);
    await db.deleteFrom("join_tokens").where("token_hash", "in", hashes).execute();
  }
  for (const before of tokens) record({ kind: "join_token", id: before.tokenHash, action, before });
}

function tokenFromRow(row: Selectable<JoinTokensTable>): JoinTokenRecord {
  return {
    tokenHash: row.token_hash,
    expiresAt: row.expires_at,
    publicKeyHash: row.public_key_hash,
    createdAt: row.created_at,
    createdBy: row.created_by,
  };
}
