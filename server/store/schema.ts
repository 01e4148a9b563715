import type { ColumnType } from "kysely";

/** Whole numbers that fit 2^53: counters, Unix seconds, booleans as 0 and 1. */
type Integer = number;

/** The one row that orders everything (D5). Every group of writes takes it first. */
export interface StoreStateTable {
  readonly id: ColumnType<Integer, Integer, never>;
  readonly incarnation: string;
  readonly revision: Integer;
  readonly revocation_epoch: Integer;
  /** Changes at or below this revision have left the log. */
  readonly log_floor: Integer;
  /** The next internal key of an entry, node or authority. Keys rise with creation and order every list. */
  readonly next_key: Integer;
  /** Ordinal of the next line of the change log. */
  readonly next_change: Integer;
}

export interface ChangesTable {
  readonly revision: Integer;
  readonly seq: Integer;
  /** Counts all changes ever made, so that the number of those kept is a subtraction. */
  readonly ordinal: Integer;
  readonly at: Integer;
  readonly kind: string;
  readonly id: string;
  readonly action: string;
  /** JSON; see operations/change-log.ts. */
  readonly before_keys: string | null;
}

export interface EntriesTable {
  readonly key: Integer;
  readonly id: string;
  readonly spiffe_id: string;
  readonly parent_id: string;
  /** JSON array of [type, value], sorted. No two entries have the same parent, SPIFFE ID and selectors. */
  readonly selectors: string;
  /** 48 bits of a digest of `selectors`, for the index that finds an entry by these three. */
  readonly selectors_hash: Integer;
  readonly selector_count: Integer;
  readonly x509_svid_ttl: Integer;
  readonly jwt_svid_ttl: Integer;
  /** JSON array of trust domain names, sorted. */
  readonly federates_with: string;
  readonly federation_count: Integer;
  readonly admin: Integer;
  readonly downstream: Integer;
  readonly store_svid: Integer;
  readonly expires_at: Integer;
  /** JSON array. */
  readonly dns_names: string;
  readonly hint: string;
  readonly revision_number: Integer;
  readonly created_at: Integer;
  readonly disable_x509_svid_prefetch: Integer;
  readonly jwt_svid_include_jti: Integer;
  /** JSON array. */
  readonly allowed_audiences: string;
  /** JSON array of trust domain names, sorted; each is among federates_with. */
  readonly unrestricted_federation: string;
  readonly instance_scope: string;
  readonly jwt_algorithm: string;
  readonly owner: string;
  /** JSON object: the rest of the side record. */
  readonly side: string;
  /** The cluster of the side record's origin; empty for most. */
  readonly origin_cluster: string;
  /** This and the next: outside the revision log. */
  readonly last_issued_at: Integer;
  readonly last_delivered_at: Integer;
}

/** Finds entries by selector. */
export interface EntrySelectorsTable {
  readonly type: string;
  readonly value: string;
  readonly entry_key: Integer;
}

/** Finds entries by federated trust domain, and keeps a bundle that an entry needs. */
export interface EntryFederationsTable {
  readonly trust_domain: string;
  readonly entry_key: Integer;
}

export interface NodesTable {
  readonly key: Integer;
  readonly id: string;
  readonly attestation_type: string;
  readonly serial: string;
  readonly expires_at: Integer;
  readonly public_key_hash: string;
  readonly new_serial: string;
  readonly new_expires_at: Integer;
  readonly new_public_key_hash: string;
  /** JSON array of [type, value], sorted. */
  readonly selectors: string;
  readonly selector_count: Integer;
  readonly banned: Integer;
  readonly can_reattest: Integer;
  readonly agent_version: string;
  readonly attested_at: Integer;
  /** Outside the revision log. */
  readonly last_seen_at: Integer;
}

/** Finds nodes by selector. */
export interface NodeSelectorsTable {
  readonly type: string;
  readonly value: string;
  readonly node_key: Integer;
}

export interface JoinTokensTable {
  readonly token_hash: string;
  readonly expires_at: Integer;
  readonly public_key_hash: string;
  readonly created_at: Integer;
  readonly created_by: string;
}

export interface BundlesTable {
  readonly trust_domain: string;
  /** Decimal, because it is an unsigned 64-bit number. */
  readonly sequence: string;
  readonly refresh_hint: Integer;
  /** JSON object; see operations/bundle-rows.ts. */
  readonly authorities: string;
}

export interface RelationshipsTable {
  readonly trust_domain: string;
  /** JSON object. */
  readonly endpoint: string;
  /** JSON object. */
  readonly limits: string;
  /** Of the limits. */
  readonly ends_at: Integer;
  readonly ended_at: Integer;
  readonly deleted: Integer;
  readonly origin: string;
  readonly created_at: Integer;
  readonly created_by: string;
  readonly updated_by: string;
  /** Outside the revision log. */
  readonly fetched_at: Integer;
}

export interface AuthoritiesTable {
  readonly key: Integer;
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly key_ref: string;
  readonly public_key: Uint8Array;
  /** JSON array of base64. */
  readonly certificate_chain: string;
  readonly upstream_authority_id: string;
  readonly not_before: Integer;
  readonly not_after: Integer;
  readonly created_at: Integer;
}

export interface AuthorityHoldersTable {
  readonly authority_id: string;
  readonly server_id: string;
}

export interface ClustersTable {
  readonly name: string;
  /** JSON object; holds credentials. */
  readonly access: string;
  /** JSON object. */
  readonly rules: string;
  readonly created_at: Integer;
  readonly created_by: string;
}

export interface SettingsTable {
  readonly key: string;
  readonly value: string;
}

export interface SchemaMigrationsTable {
  readonly version: Integer;
  readonly name: string;
}

/** The tables, as Kysely sees them. What is in them is declared by migrations/. */
export interface Schema {
  readonly store_state: StoreStateTable;
  readonly changes: ChangesTable;
  readonly entries: EntriesTable;
  readonly entry_selectors: EntrySelectorsTable;
  readonly entry_federations: EntryFederationsTable;
  readonly nodes: NodesTable;
  readonly node_selectors: NodeSelectorsTable;
  readonly join_tokens: JoinTokensTable;
  readonly bundles: BundlesTable;
  readonly relationships: RelationshipsTable;
  readonly authorities: AuthoritiesTable;
  readonly authority_holders: AuthorityHoldersTable;
  readonly clusters: ClustersTable;
  readonly settings: SettingsTable;
  readonly schema_migrations: SchemaMigrationsTable;
}
