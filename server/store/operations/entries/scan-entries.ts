import { sql } from "kysely";
import type { EntryTerms } from "../../contract/entry-terms.ts";
import type { ReadOperation } from "../context.ts";
import { formatPageToken, pageSizeOf, parsePageToken } from "../page-token.ts";
import { TERMS_COLUMNS, type TermsRow, termsFromRow } from "./entry-rows.ts";

/** The terms of a row in one value: of most rows it is one that was seen before, and then nothing is made of it. */
const TERMS_TEXT = sql<string>`json_array(${sql.join(TERMS_COLUMNS.map((column) => sql.ref(column)))})`;

/** All entries by key, without what only describes them. */
export const scanEntries: ReadOperation<"scanEntries"> = async (db, page) => {
  const pageSize = pageSizeOf(page.pageSize);
  const [lastKey] = page.pageToken === undefined ? [-1] : parsePageToken(page.pageToken, [0]);
  const rows = await db
    .selectFrom("entries")
    .select(["key", "id", "spiffe_id", "parent_id", "selectors", "revision_number", "created_at"])
    .select(TERMS_TEXT.as("terms"))
    .where("key", ">", lastKey)
    .orderBy("key")
    .limit(pageSize + 1)
    .execute();
  const shown = rows.slice(0, pageSize);
  const parents = new Places();
  const terms = new Places();
  const last = rows.length > pageSize ? shown.at(-1) : undefined;
  return {
    ids: shown.map((row) => row.id),
    spiffeIds: shown.map((row) => row.spiffe_id),
    selectors: shown.map((row) => row.selectors),
    revisionNumbers: shown.map((row) => row.revision_number),
    createdAts: shown.map((row) => row.created_at),
    parentPlaces: shown.map((row) => parents.of(row.parent_id)),
    termsPlaces: shown.map((row) => terms.of(row.terms)),
    parentIds: parents.texts,
    terms: terms.texts.map(parseTerms),
    ...(last !== undefined && { nextPageToken: formatPageToken([last.key]) }),
  };
};

/** Numbers texts in the order in which they first come. */
class Places {
  readonly #places = new Map<string, number>();

  of(text: string): number {
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    const place = this.#places.size;
    this.#places.set(text, place);
    return place;
  }

  /** Each text at its number. */
  get texts(): readonly string[] {
    return [...this.#places.keys()];
  }
}

function parseTerms(text: string): EntryTerms {
  const values: readonly TermsRow[keyof TermsRow][] = JSON.parse(text);
  return termsFromRow(
    Object.fromEntries(TERMS_COLUMNS.map((column, i) => [column, values[i]])) as TermsRow,
  );
}
