import { type Kysely, sql } from "kysely";
import type { Selector } from "../../../../proto/selector.ts";
import { memoLast } from "../../../../runtime/memo-last.ts";
import type { ChangeAction } from "../../commit.ts";
import type { EntryRecord } from "../../records.ts";
import type { Schema } from "../../schema.ts";
import { inChunks } from "../chunks.ts";
import type { WriteContext } from "../context.ts";
import { Prepared, PreparedInsert } from "../prepared.ts";
import {
  ENTRY_COLUMNS,
  type EntryIdentity,
  type EntryRow,
  type EntryUseColumns,
  entryFromRow,
  entryToColumns,
  identityKey,
  sideToColumns,
} from "./entry-rows.ts";

const NEVER_USED: EntryUseColumns = { last_issued_at: 0, last_delivered_at: 0 };

/** Rows of the entries with these IDs, by ID. Those that do not exist are absent. */
export async function entryRowsById(
  db: Kysely<Schema>,
  ids: readonly string[],
): Promise<Map<string, EntryRow>> {
  const rows = new Map<string, EntryRow>();
  for (const chunk of inChunks([...new Set(ids)])) {
    for (const row of await selectById.run(db, chunk, chunk.length)) rows.set(row.id, row);
  }
  return rows;
}

const selectById = new Prepared<EntryRow>((db, rows) =>
  db.selectFrom("entries").selectAll().where("id", "in", Array<string>(rows).fill("")),
);

/** The entries that have one of these identities, by {@link identityKey}. */
export async function entriesByIdentity(
  db: Kysely<Schema>,
  identities: readonly EntryIdentity[],
): Promise<Map<string, EntryRecord>> {
  const found = new Map<string, EntryRecord>();
  const wanted = new Set(identities.map(identityKey));
  for (const chunk of inChunks(identities)) {
    const parameters: unknown[] = [];
    for (const { parent_id, spiffe_id, selectors_hash } of chunk) {
      parameters.push(parent_id, spiffe_id, selectors_hash);
    }
    for (const row of await selectByIdentity.run(db, parameters, chunk.length)) {
      const key = identityKey(row);
      if (wanted.has(key)) found.set(key, entryFromRow(row));
    }
  }
  return found;
}

const selectByIdentity = new Prepared<EntryRow>((db, rows) => {
  const values = Array.from({ length: rows }, () => sql`(${""}, ${""}, ${0})`);
  return db
    .selectFrom("entries")
    .selectAll()
    .where(sql<boolean>`(parent_id, spiffe_id, selectors_hash) in (values ${sql.join(values)})`);
});

/** An entry that is to be written, and its row but for the key. */
export interface EntryDraft {
  readonly entry: EntryRecord;
  readonly row: Omit<EntryRow, "key">;
}

/** Makes the rows of new entries, once for the checks and for writing them. */
export function draftEntries(entries: readonly EntryRecord[]): readonly EntryDraft[] {
  const sideOf = memoLast(sideToColumns);
  return entries.map((entry) => ({
    entry,
    row: entryToColumns(entry, sideOf(entry.side), NEVER_USED),
  }));
}

/** Writes new entries with everything that finds them, and notes them as created. */
export async function insertEntries(
  { db, allocateKeys, record }: WriteContext,
  drafts: readonly EntryDraft[],
): Promise<void> {
  const firstKey = allocateKeys(drafts.length);
  const keyed = drafts.map(({ entry }, index) => ({ entry, key: firstKey + index }));
  await insertRows.run(
    db,
    drafts.map(({ row }, index) => ({ ...row, key: firstKey + index })),
  );
  await insertEntrySelectors(db, keyed);
  await insertEntryFederations(db, keyed);
  for (const { entry } of drafts) {
    record({ kind: "entry", id: entry.id, action: "create", after: entry });
  }
}

const insertRows = new PreparedInsert("entries", ENTRY_COLUMNS);

/** Replaces a row and what finds it, and notes the update. */
export async function replaceEntry(
  { db, record }: WriteContext,
  current: EntryRow,
  after: EntryRecord,
): Promise<void> {
  const before = entryFromRow(current);
  const row = entryToColumns(after, sideToColumns(after.side), current);
  await db.updateTable("entries").set(row).where("key", "=", current.key).execute();
  if (row.selectors !== current.selectors) {
    await deleteEntrySelectors(db, current.key, before);
    await insertEntrySelectors(db, [{ key: current.key, entry: after }]);
  }
  if (row.federates_with !== current.federates_with) {
    await db.deleteFrom("entry_federations").where("entry_key", "=", current.key).execute();
    await insertEntryFederations(db, [{ key: current.key, entry: after }]);
  }
  record({ kind: "entry", id: after.id, action: "update", before, after });
}

/** Removes rows and what finds them, and notes it. Returns the entries as they were. */
export async function removeEntries(
  { db, record }: WriteContext,
  rows: readonly EntryRow[],
  action: Extract<ChangeAction, "delete" | "expire">,
): Promise<EntryRecord[]> {
  const entries = rows.map(entryFromRow);
  for (const [index, entry] of entries.entries()) {
    const key = rows[index]?.key;
    if (key !== undefined) await deleteEntrySelectors(db, key, entry);
    record({ kind: "entry", id: entry.id, action, before: entry });
  }
  for (const chunk of inChunks(rows.map((row) => row.key))) {
    await db.deleteFrom("entries").where("key", "in", chunk).execute();
  }
  return entries;
}

interface KeyedEntry {
  readonly key: number;
  readonly entry: EntryRecord;
}

async function insertEntrySelectors(
  db: Kysely<Schema>,
  entries: readonly KeyedEntry[],
): Promise<void> {
  const rows = entries.flatMap(({ key, entry }) =>
    entry.selectors.map(({ type, value }) => ({ type, value, entry_key: key })),
  );
  // In the order of the table: rows that lie together are written together.
  rows.sort(comparePostings);
  await insertPostings.run(db, rows);
}

const insertPostings = new PreparedInsert("entry_selectors", ["type", "value", "entry_key"]);

function comparePostings(a: Selector, b: Selector): number {
  if (a.type !== b.type) return a.type < b.type ? -1 : 1;
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

async function deleteEntrySelectors(
  db: Kysely<Schema>,
  key: number,
  entry: EntryRecord,
): Promise<void> {
  for (const { type, value } of entry.selectors) {
    await db
      .deleteFrom("entry_selectors")
      .where("type", "=", type)
      .where("value", "=", value)
      .where("entry_key", "=", key)
      .execute();
  }
}

async function insertEntryFederations(
  db: Kysely<Schema>,
  entries: readonly KeyedEntry[],
): Promise<void> {
  const rows = entries.flatMap(({ key, entry }) =>
    entry.federatesWith.map((trustDomain) => ({ trust_domain: trustDomain, entry_key: key })),
  );
  for (const chunk of inChunks(rows)) {
    await db.insertInto("entry_federations").values(chunk).execute();
  }
}
