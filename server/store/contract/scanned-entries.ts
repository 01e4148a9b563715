import type { AuthorizedEntryRecord } from "../records.ts";
import type { EntryColumns } from "./entry-columns.ts";
import type { EntryTerms } from "./entry-terms.ts";

/** A page of entries. What they have in common is there once. */
export interface ScannedEntries extends EntryColumns {
  readonly revisionNumbers: readonly number[];
  readonly createdAts: readonly number[];
  /** Absent on the last page. */
  readonly nextPageToken?: string;
}

/** One entry of a page. */
export interface ScannedEntry
  extends Pick<
    AuthorizedEntryRecord,
    "id" | "spiffeId" | "parentId" | "revisionNumber" | "createdAt"
  > {
  readonly selectorsText: string;
  readonly terms: EntryTerms;
}

/** The entries of a page, in order. @throws {Error} when its columns do not fit together, which the store never makes */
export function* entriesOfPage(page: ScannedEntries): Generator<ScannedEntry> {
  for (const [i, id] of page.ids.entries()) {
    const spiffeId = page.spiffeIds[i];
    const selectorsText = page.selectors[i];
    const revisionNumber = page.revisionNumbers[i];
    const createdAt = page.createdAts[i];
    const parentId = page.parentIds[page.parentPlaces[i] ?? -1];
    const terms = page.terms[page.termsPlaces[i] ?? -1];
    if (
      spiffeId === undefined ||
      selectorsText === undefined ||
      revisionNumber === undefined ||
      createdAt === undefined ||
      parentId === undefined ||
      terms === undefined
    ) {
      throw new Error(`a page of ${page.ids.length} entries has no whole entry ${i}`);
    }
    yield { id, spiffeId, parentId, selectorsText, revisionNumber, createdAt, terms };
  }
}
