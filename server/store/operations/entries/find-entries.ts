import { sql } from "kysely";
import { type Selector, sortSelectors } from "../../../../proto/selector.ts";
import type { ExpiredEntry } from "../../contract/entries.ts";
import type { EntryRecord } from "../../records.ts";
import { parseBeforeKeys } from "../change-log.ts";
import { inChunks } from "../chunks.ts";
import type { ReadOperation } from "../context.ts";

import { entryFromRow } from "./entry-rows.ts";
import { entryRowsById } from "./entry-table.ts";
import { listedEntry } from "./list-entries.ts";

export const getEntry: ReadOperation<"getEntry"> = async (db, { id }) => {
  const row = await db.selectFrom("entries").selectAll().where("id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : listedEntry(row);
};

export const getEntries: ReadOperation<"getEntries"> = async (db, { ids }) => {
  const rows = await entryRowsById(db, ids);
  return [...rows.values()].map(entryFromRow);
};

export const nextEntryExpiry: ReadOperation<"nextEntryExpiry"> = async (db) => {
  const row = await db
    .selectFrom("entries")
    .select("expires_at")
    .where("expires_at", ">", 0)
    .orderBy("expires_at")
    .limit(1)
    .executeTakeFirst();
  return row?.expires_at;
};

/** How many entries are looked at for one selector. Newer ones come first. */
const NEAR_PER_SELECTOR = 200;

/**
 * Counts in memory how many selectors each entry shares, then reads those that could come first. A selector that many entries have
 * says little of any of them: of those only the newest are looked at, and those that a rarer selector has found.
 */
export const entriesNearSelectors: ReadOperation<"entriesNearSelectors"> = async (
  db,
  { selectors, limit },
) => {
  const shared = new Map<number, number>();
  const note = (postings: readonly { readonly entry_key: number }[]): void => {
    for (const { entry_key: key } of postings) shared.set(key, (shared.get(key) ?? 0) + 1);
  };
  const common: { readonly selector: Selector; readonly newest: { entry_key: number }[] }[] = [];
  for (const selector of sortSelectors(selectors)) {
    const postings = await postingsOf(db, selector).limit(NEAR_PER_SELECTOR).execute();
    if (postings.length === NEAR_PER_SELECTOR) common.push({ selector, newest: postings });
    else note(postings);
  }
  const foundByRarer = [...shared.keys()];
  for (const { selector, newest } of common) {
    note(newest);
    const oldestSeen = newest.at(-1)?.entry_key ?? 0;
    const older = foundByRarer.filter((key) => key < oldestSeen);
    for (const chunk of inChunks(older)) {
      note(await postingsOf(db, selector).where("entry_key", "in", chunk).execute());
    }
  }
  const near: { readonly entry: EntryRecord; readonly missing: number }[] = [];
  for (const chunk of inChunks([...shared.keys()])) {
    const rows = await db.selectFrom("entries").selectAll().where("key", "in", chunk).execute();
    for (const row of rows) {
      const missing = row.selector_count - (shared.get(row.key) ?? 0);
      near.push({ entry: entryFromRow(row), missing });
    }
  }
  near.sort((a, b) => a.missing - b.missing);
  return near.slice(0, limit).map(({ entry }) => entry);
};

/** The entries that have a selector, newest first. */
function postingsOf(db: Parameters<typeof getEntry>[0], { type, value }: Selector) {
  return db
    .selectFrom("entry_selectors")
    .select("entry_key")
    .where("type", "=", type)
    .where("value", "=", value)
    .orderBy("entry_key", "desc");
}

export const recentlyExpiredEntries: ReadOperation<"recentlyExpiredEntries"> = async (
  db,
  { limit },
) => {
  const rows = await db
    .selectFrom("changes")
    .select(["id", "before_keys"])
    .where(sql<boolean>`action = 'expire'`)
    .where("kind", "=", "entry")
    .orderBy("revision", "desc")
    .orderBy("seq", "desc")
    .limit(limit)
    .execute();
  return rows.flatMap(({ id, before_keys }): ExpiredEntry[] => {
    const before = parseBeforeKeys(before_keys);
    if (before?.selectors === undefined || before.expiresAt === undefined) return [];
    const { spiffeId, parentId, selectors, expiresAt } = before;
    return [{ id, spiffeId, parentId, selectors, expiresAt }];
  });
};
