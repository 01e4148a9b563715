import type { Kysely, Selectable } from "kysely";
import type { AuthorityKind, AuthorityRecord, AuthorityState } from "../records.ts";
import type { AuthoritiesTable, Schema } from "../schema.ts";
import { findBundleRow, putBundle } from "./bundles/write-bundles.ts";
import type { ReadOperation, WriteContext, WriteOperation } from "./context.ts";

type AuthorityRow = Selectable<AuthoritiesTable>;

/** One transaction, so that the bundle never names an authority that does not exist, nor lacks one that signs. */
export const changeAuthorities: WriteOperation<"changeAuthorities"> = async (context, input) => {
  const { db } = context;
  for (const authority of input.put ?? []) await putAuthority(context, authority);
  for (const { authorityId, serverId } of input.addHolders ?? []) {
    await db
      .insertInto("authority_holders")
      .values({ authority_id: authorityId, server_id: serverId })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  for (const id of input.remove ?? []) await removeAuthority(context, id);
  if (input.bundle !== undefined) {
    const current = await findBundleRow(db, input.bundle.trustDomain);
    await putBundle(context, input.bundle, current);
  }
  return undefined;
};

export const listAuthorities: ReadOperation<"listAuthorities"> = async (db, { kind }) => {
  let query = db.selectFrom("authorities").selectAll();
  if (kind !== undefined) query = query.where("kind", "=", kind);
  const rows = await query.orderBy("key").execute();
  return rows.map(authorityFromRow);
};

export const listAuthorityHolders: ReadOperation<"listAuthorityHolders"> = async (db) => {
  const rows = await db
    .selectFrom("authority_holders")
    .selectAll()
    .orderBy("authority_id")
    .orderBy("server_id")
    .execute();
  return rows.map((row) => ({ authorityId: row.authority_id, serverId: row.server_id }));
};

async function putAuthority(
  { db, allocateKeys, record }: WriteContext,
  authority: AuthorityRecord,
): Promise<void> {
  const { id } = authority;
  const current = await findAuthority(db, id);
  if (current === undefined) {
    await db
      .insertInto("authorities")
      .values(authorityToRow(allocateKeys(1), authority))
      .execute();
    record({ kind: "authority", id, action: "create", after: authority });
  } else {
    await db
      .updateTable("authorities")
      .set(authorityToRow(current.key, authority))
      .where("key", "=", current.key)
      .execute();
    const before = authorityFromRow(current);
    record({ kind: "authority", id, action: "update", before, after: authority });
  }
}

async function removeAuthority({ db, record }: WriteContext, id: string): Promise<void> {
  const current = await findAuthority(db, id);
  if (current === undefined) return;
  await db.deleteFrom("authorities").where("key", "=", current.key).execute();
  record({ kind: "authority", id, action: "delete", before: authorityFromRow(current) });
}

async function findAuthority(db: Kysely<Schema>, id: string): Promise<AuthorityRow | undefined> {
  return await db.selectFrom("authorities").selectAll().where("id", "=", id).executeTakeFirst();
}

function authorityToRow(key: number, authority: AuthorityRecord): AuthorityRow {
  return {
    key,
    id: authority.id,
    kind: authority.kind,
    state: authority.state,
    key_ref: authority.keyRef,
    public_key: authority.publicKeyDer,
    certificate_chain: JSON.stringify(
      authority.certificateChainDer.map((der) => Buffer.from(der).toString("base64")),
    ),
    upstream_authority_id: authority.upstreamAuthorityId,
    not_before: authority.notBefore,
    not_after: authority.notAfter,
    created_at: authority.createdAt,
  };
}

function authorityFromRow(row: AuthorityRow): AuthorityRecord {
  const chain: readonly string[] = JSON.parse(row.certificate_chain);
  return {
    id: row.id,
    kind: row.kind as AuthorityKind,
    state: row.state as AuthorityState,
    keyRef: row.key_ref,
    publicKeyDer: Uint8Array.from(row.public_key),
    certificateChainDer: chain.map((der) => Uint8Array.from(Buffer.from(der, "base64"))),
    upstreamAuthorityId: row.upstream_authority_id,
    notBefore: row.not_before,
    notAfter: row.not_after,
    createdAt: row.created_at,
  };
}
