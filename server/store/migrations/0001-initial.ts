import { type CreateTableBuilder, type Kysely, sql } from "kysely";
import type { Schema } from "../schema.ts";
import type { DatabaseFacts, Migration } from "./migration.ts";

/** Everything the first release keeps. */
export const initial: Migration = {
  version: 1,
  name: "initial",
  async up(db, facts) {
    await createState(db, facts);
    await createEntries(db, facts);
    await createNodes(db, facts);
    await createTrust(db, facts);
  },
};

async function createState(db: Kysely<Schema>, facts: DatabaseFacts): Promise<void> {
  await columns(db.schema.createTable("store_state"), {
    id: "bigint",
    incarnation: "text",
    revision: "bigint",
    revocation_epoch: "bigint",
    log_floor: "bigint",
    next_key: "bigint",
    next_change: "bigint",
  })
    .addPrimaryKeyConstraint("store_state_pk", ["id"])
    .execute();
  await columns(db.schema.createTable("changes"), {
    revision: "bigint",
    seq: "bigint",
    ordinal: "bigint",
    at: "bigint",
    kind: "text",
    id: "text",
    action: "text",
  })
    .addColumn("before_keys", "text")
    .addPrimaryKeyConstraint("changes_pk", ["revision", "seq"])
    .modifyEnd(facts.clustered)
    .execute();
  await db.schema
    .createIndex("changes_expired")
    .on("changes")
    .columns(["revision", "seq"])
    .where(sql<boolean>`action = 'expire'`)
    .execute();
  await columns(db.schema.createTable("settings"), { key: "text", value: "text" })
    .addPrimaryKeyConstraint("settings_pk", ["key"])
    .execute();
}

async function createEntries(db: Kysely<Schema>, facts: DatabaseFacts): Promise<void> {
  await columns(db.schema.createTable("bundles"), {
    trust_domain: "text",
    sequence: "text",
    refresh_hint: "bigint",
    authorities: "text",
  })
    .addPrimaryKeyConstraint("bundles_pk", ["trust_domain"])
    .execute();
  await columns(
    db.schema.createTable("entries").addColumn("key", facts.rowKey, (key) => key.primaryKey()),
    {
      id: "text",
      spiffe_id: "text",
      parent_id: "text",
      selectors: "text",
      selectors_hash: "bigint",
      selector_count: "bigint",
      x509_svid_ttl: "bigint",
      jwt_svid_ttl: "bigint",
      federates_with: "text",
      federation_count: "bigint",
      admin: "bigint",
      downstream: "bigint",
      store_svid: "bigint",
      expires_at: "bigint",
      dns_names: "text",
      hint: "text",
      revision_number: "bigint",
      created_at: "bigint",
      disable_x509_svid_prefetch: "bigint",
      jwt_svid_include_jti: "bigint",
      allowed_audiences: "text",
      instance_scope: "text",
      owner: "text",
      side: "text",
      last_issued_at: "bigint",
      last_delivered_at: "bigint",
    },
  ).execute();
  await db.schema.createIndex("entries_id").unique().on("entries").column("id").execute();
  // Finds duplicates and the children of a parent. Not unique, because a hash is not: the operations compare the text.
  await db.schema
    .createIndex("entries_identity")
    .on("entries")
    .columns(["parent_id", "spiffe_id", "selectors_hash", "key"])
    .execute();
  // Each of these serves one filter, in the order of a list; all but the first mostly hold one value, so that
  // their indexes grow at the end only and cost little.
  for (const column of ["spiffe_id", "hint", "downstream", "owner", "last_issued_at"] as const) {
    await db.schema
      .createIndex(`entries_${column}`)
      .on("entries")
      .columns([column, "key"])
      .execute();
  }
  await db.schema
    .createIndex("entries_expires_at")
    .on("entries")
    .columns(["expires_at", "key"])
    .where("expires_at", ">", 0)
    .execute();
  // No foreign key to entries: checking it on deletion would take an index by entry that repeats every selector's text.
  // The same operation writes both tables, from the same record.
  await columns(db.schema.createTable("entry_selectors"), {
    type: "text",
    value: "text",
    entry_key: "bigint",
  })
    .addPrimaryKeyConstraint("entry_selectors_pk", ["type", "value", "entry_key"])
    .modifyEnd(facts.clustered)
    .execute();
  await columns(db.schema.createTable("entry_federations"), {
    trust_domain: "text",
    entry_key: "bigint",
  })
    .addPrimaryKeyConstraint("entry_federations_pk", ["trust_domain", "entry_key"])
    .addForeignKeyConstraint("entry_federations_bundle", ["trust_domain"], "bundles", [
      "trust_domain",
    ])
    .addForeignKeyConstraint("entry_federations_entry", ["entry_key"], "entries", ["key"], (fk) =>
      fk.onDelete("cascade"),
    )
    .modifyEnd(facts.clustered)
    .execute();
  await db.schema
    .createIndex("entry_federations_entry_key")
    .on("entry_federations")
    .column("entry_key")
    .execute();
}

async function createNodes(db: Kysely<Schema>, facts: DatabaseFacts): Promise<void> {
  await columns(
    db.schema.createTable("nodes").addColumn("key", facts.rowKey, (key) => key.primaryKey()),
    {
      id: "text",
      attestation_type: "text",
      serial: "text",
      expires_at: "bigint",
      public_key_hash: "text",
      new_serial: "text",
      new_expires_at: "bigint",
      new_public_key_hash: "text",
      selectors: "text",
      selector_count: "bigint",
      banned: "bigint",
      can_reattest: "bigint",
      agent_version: "text",
      attested_at: "bigint",
      last_seen_at: "bigint",
    },
  ).execute();
  await db.schema.createIndex("nodes_id").unique().on("nodes").column("id").execute();
  for (const column of ["attestation_type", "banned", "can_reattest", "expires_at"] as const) {
    await db.schema.createIndex(`nodes_${column}`).on("nodes").columns([column, "key"]).execute();
  }
  await columns(db.schema.createTable("node_selectors"), {
    type: "text",
    value: "text",
    node_key: "bigint",
  })
    .addPrimaryKeyConstraint("node_selectors_pk", ["type", "value", "node_key"])
    .modifyEnd(facts.clustered)
    .execute();
  await columns(db.schema.createTable("join_tokens"), {
    token_hash: "text",
    expires_at: "bigint",
    public_key_hash: "text",
    created_at: "bigint",
    created_by: "text",
  })
    .addPrimaryKeyConstraint("join_tokens_pk", ["token_hash"])
    .execute();
  await db.schema
    .createIndex("join_tokens_expires_at")
    .on("join_tokens")
    .column("expires_at")
    .execute();
}

async function createTrust(db: Kysely<Schema>, facts: DatabaseFacts): Promise<void> {
  await columns(
    db.schema
      .createTable("authorities")
      .addColumn("key", facts.rowKey, (key) => key.primaryKey())
      .addColumn("public_key", facts.bytes, (publicKey) => publicKey.notNull()),
    {
      id: "text",
      kind: "text",
      state: "text",
      key_ref: "text",
      certificate_chain: "text",
      upstream_authority_id: "text",
      not_before: "bigint",
      not_after: "bigint",
      created_at: "bigint",
    },
  )
    .addUniqueConstraint("authorities_id", ["id"])
    .execute();
  await columns(db.schema.createTable("authority_holders"), {
    authority_id: "text",
    server_id: "text",
  })
    .addPrimaryKeyConstraint("authority_holders_pk", ["authority_id", "server_id"])
    .addForeignKeyConstraint(
      "authority_holders_authority",
      ["authority_id"],
      "authorities",
      ["id"],
      (fk) => fk.onDelete("cascade"),
    )
    .execute();
}

/** Adds columns that are never null. */
function columns<Table extends string, Known extends string, Name extends string>(
  table: CreateTableBuilder<Table, Known>,
  types: Readonly<Record<Name, "text" | "bigint">>,
): CreateTableBuilder<Table, Known | Name> {
  let builder: CreateTableBuilder<Table, Known | Name> = table;
  for (const [name, type] of Object.entries<"text" | "bigint">(types)) {
    builder = builder.addColumn(name as Name, type, (column) => column.notNull());
  }
  return builder;
}
