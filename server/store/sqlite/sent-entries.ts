import { parseSelectorsText, selectorsText } from "../../../proto/selector.ts";
import type { NewEntry } from "../contract/entries.ts";
import type { EntryColumns } from "../contract/entry-columns.ts";
import { type EntryTerms, haveSameTerms, termsOf } from "../contract/entry-terms.ts";
import type { EntrySideRecord } from "../records.ts";

/** New entries on their way to the store's thread. What an entry has in common with the one before it is there once. */
export interface SentEntries extends EntryColumns {
  readonly sidePlaces: readonly number[];
  readonly sides: readonly EntrySideRecord[];
}

/** Takes entries apart; their sets are in canonical order. */
export function packEntries(entries: readonly NewEntry[]): SentEntries {
  const parents = new Runs<string>(Object.is);
  const terms = new Runs<EntryTerms>(haveSameTerms);
  const sides = new Runs<EntrySideRecord>(Object.is);
  return {
    ids: entries.map(({ id }) => id),
    spiffeIds: entries.map(({ spiffeId }) => spiffeId),
    selectors: entries.map(({ selectors }) => selectorsText(selectors)),
    parentPlaces: entries.map(({ parentId }) => parents.placeOf(parentId)),
    parentIds: parents.values,
    termsPlaces: entries.map((entry) => terms.placeOf(entry)),
    terms: terms.values.map(termsOf),
    sidePlaces: entries.map(({ side }) => sides.placeOf(side)),
    sides: sides.values,
  };
}

/** Puts the entries together again. @throws {Error} when the columns do not fit together, which packEntries() never makes */
export function unpackEntries(sent: SentEntries): readonly NewEntry[] {
  return sent.ids.map((id, i) => {
    const spiffeId = sent.spiffeIds[i];
    const selectors = sent.selectors[i];
    const parentId = sent.parentIds[sent.parentPlaces[i] ?? -1];
    const terms = sent.terms[sent.termsPlaces[i] ?? -1];
    const side = sent.sides[sent.sidePlaces[i] ?? -1];
    if (
      spiffeId === undefined ||
      selectors === undefined ||
      parentId === undefined ||
      terms === undefined ||
      side === undefined
    ) {
      throw new Error(`${sent.ids.length} new entries have no whole entry ${i}`);
    }
    return { ...terms, id, spiffeId, parentId, selectors: parseSelectorsText(selectors), side };
  });
}

/** Values, each once for as long as it is repeated. */
class Runs<Value> {
  readonly values: Value[] = [];
  readonly #isSame: (a: Value, b: Value) => boolean;

  constructor(isSame: (a: Value, b: Value) => boolean) {
    this.#isSame = isSame;
  }

  /** Adds the next value; answers where it is. */
  placeOf(value: Value): number {
    const last = this.values.at(-1);
    if (last === undefined || !this.#isSame(last, value)) this.values.push(value);
    return this.values.length - 1;
  }
}
