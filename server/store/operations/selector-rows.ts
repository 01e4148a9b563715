import type { SelectorRecord } from "../records.ts";

/** How a set of selectors is kept in the row of its owner. */
export interface SelectorColumns {
  /** JSON array of [type, value], sorted and without duplicates: equal sets have equal texts. */
  readonly selectors: string;
  readonly selector_count: number;
}

/** The text of a canonical set. Equal sets have equal texts. */
export function selectorsText(canonical: readonly SelectorRecord[]): string {
  return JSON.stringify(canonical.map(({ type, value }) => [type, value]));
}

/** The columns for a canonical set. */
export function selectorColumns(canonical: readonly SelectorRecord[]): SelectorColumns {
  return { selectors: selectorsText(canonical), selector_count: canonical.length };
}

/** Reads what {@link selectorColumns} wrote. */
export function parseSelectors(text: string): readonly SelectorRecord[] {
  const pairs: readonly (readonly [string, string])[] = JSON.parse(text);
  return pairs.map(([type, value]) => ({ type, value }));
}

/** Sorts names and takes duplicates out. */
export function canonicalNames(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
