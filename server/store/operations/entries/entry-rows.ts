import { hash } from "node:crypto";
import type { Selectable } from "kysely";
import { parseSelectorsText, selectorsText } from "../../../../proto/selector.ts";
import type { EntryTerms } from "../../contract/entry-terms.ts";
import type {
  AuthorizedEntryRecord,
  EntryJwtAlgorithm,
  EntryRecord,
  EntrySideRecord,
  InstanceScope,
} from "../../records.ts";
import type { EntriesTable } from "../../schema.ts";

/** A row of the entries table. */
export type EntryRow = Selectable<EntriesTable>;

/** A row as an index needs it: without what only describes the entry. */
export type AuthorizedEntryRow = Omit<
  EntryRow,
  | "selectors_hash"
  | "selector_count"
  | "federation_count"
  | "owner"
  | "side"
  | "origin_cluster"
  | keyof EntryUseColumns
>;

/** The columns of what many rows have in common: all but who an entry is and whom it matches. */
export const TERMS_COLUMNS = [
  "x509_svid_ttl",
  "jwt_svid_ttl",
  "federates_with",
  "admin",
  "downstream",
  "store_svid",
  "expires_at",
  "dns_names",
  "hint",
  "disable_x509_svid_prefetch",
  "jwt_svid_include_jti",
  "allowed_audiences",
  "unrestricted_federation",
  "instance_scope",
  "jwt_algorithm",
] as const;

/** The part of a row in {@link TERMS_COLUMNS}. */
export type TermsRow = Pick<EntryRow, (typeof TERMS_COLUMNS)[number]>;

/** All columns. */
export const ENTRY_COLUMNS: readonly (keyof EntryRow)[] = [
  "key",
  "id",
  "spiffe_id",
  "parent_id",
  "selectors",
  "revision_number",
  "created_at",
  ...TERMS_COLUMNS,
  "selectors_hash",
  "selector_count",
  "federation_count",
  "owner",
  "side",
  "origin_cluster",
  "last_issued_at",
  "last_delivered_at",
];

/** When the entry was last of use. */
export type EntryUseColumns = Pick<EntryRow, "last_issued_at" | "last_delivered_at">;

/** What a row keeps of a side record. */
export type SideColumns = Pick<EntryRow, "owner" | "side" | "origin_cluster">;

/** Makes the columns of a side record. */
export function sideToColumns({ owner, ...side }: EntrySideRecord): SideColumns {
  return { owner, side: JSON.stringify(side), origin_cluster: side.origin?.cluster ?? "" };
}

/** Makes the row of a canonical entry, but for its key. */
export function entryToColumns(
  entry: EntryRecord,
  side: SideColumns,
  use: EntryUseColumns,
): Omit<EntryRow, "key"> {
  return {
    ...identityOf(entry),
    id: entry.id,
    selector_count: entry.selectors.length,
    x509_svid_ttl: entry.x509SvidTtlSeconds,
    jwt_svid_ttl: entry.jwtSvidTtlSeconds,
    federates_with: namesText(entry.federatesWith),
    federation_count: entry.federatesWith.length,
    admin: Number(entry.admin),
    downstream: Number(entry.downstream),
    store_svid: Number(entry.storeSvid),
    expires_at: entry.expiresAt,
    dns_names: namesText(entry.dnsNames),
    hint: entry.hint,
    revision_number: entry.revisionNumber,
    created_at: entry.createdAt,
    disable_x509_svid_prefetch: Number(entry.disableX509SvidPrefetch),
    jwt_svid_include_jti: Number(entry.jwtSvidIncludeJti),
    allowed_audiences: namesText(entry.allowedAudiences),
    unrestricted_federation: namesText(entry.unrestrictedFederation),
    instance_scope: entry.instanceScope,
    jwt_algorithm: entry.jwtAlgorithm,
    owner: side.owner,
    side: side.side,
    origin_cluster: side.origin_cluster,
    last_issued_at: use.last_issued_at,
    last_delivered_at: use.last_delivered_at,
  };
}

/** What no two entries share. */
export type EntryIdentity = Pick<
  EntryRow,
  "parent_id" | "spiffe_id" | "selectors" | "selectors_hash"
>;

/** The identity of a canonical entry. */
export function identityOf(
  entry: Pick<EntryRecord, "parentId" | "spiffeId" | "selectors">,
): EntryIdentity {
  const selectors = selectorsText(entry.selectors);
  return {
    parent_id: entry.parentId,
    spiffe_id: entry.spiffeId,
    selectors,
    // 48 bits: few enough for a number, too many to be met by chance.
    selectors_hash: Number.parseInt(hash("sha256", selectors).slice(0, 12), 16),
  };
}

/** An identity as the key of a map. */
export function identityKey(identity: EntryIdentity): string {
  return JSON.stringify([identity.parent_id, identity.spiffe_id, identity.selectors]);
}

/** Reads a whole row. */
export function entryFromRow(row: EntryRow): EntryRecord {
  const described: Omit<EntrySideRecord, "owner"> = JSON.parse(row.side);
  return { ...authorizedEntryFromRow(row), side: { owner: row.owner, ...described } };
}

/** Reads the part of a row that decides. */
export function authorizedEntryFromRow(row: AuthorizedEntryRow): AuthorizedEntryRecord {
  return {
    id: row.id,
    spiffeId: row.spiffe_id,
    parentId: row.parent_id,
    selectors: parseSelectorsText(row.selectors),
    revisionNumber: row.revision_number,
    createdAt: row.created_at,
    ...termsFromRow(row),
  };
}

/** Reads what many rows have in common. */
export function termsFromRow(row: TermsRow): EntryTerms {
  return {
    x509SvidTtlSeconds: row.x509_svid_ttl,
    jwtSvidTtlSeconds: row.jwt_svid_ttl,
    federatesWith: parseNames(row.federates_with),
    admin: row.admin === 1,
    downstream: row.downstream === 1,
    storeSvid: row.store_svid === 1,
    expiresAt: row.expires_at,
    dnsNames: parseNames(row.dns_names),
    hint: row.hint,
    disableX509SvidPrefetch: row.disable_x509_svid_prefetch === 1,
    jwtSvidIncludeJti: row.jwt_svid_include_jti === 1,
    allowedAudiences: parseNames(row.allowed_audiences),
    unrestrictedFederation: parseNames(row.unrestricted_federation),
    instanceScope: row.instance_scope as InstanceScope,
    jwtAlgorithm: row.jwt_algorithm as EntryJwtAlgorithm,
  };
}

function namesText(names: readonly string[]): string {
  return names.length === 0 ? "[]" : JSON.stringify(names);
}

function parseNames(text: string): readonly string[] {
  return text === "[]" ? NONE : JSON.parse(text);
}

const NONE: readonly string[] = Object.freeze([]);
