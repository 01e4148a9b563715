import type { SelectorRecord } from "../records.ts";

/** How a set of selectors is kept in the row of its owner. */
export interface SelectorColumns {
  /** JSON array of [type, value], sorted and without duplicates: equal sets have equal texts. */
  readonly selectors: string;
  readonly selector_count: number;
}

/** Sorts selectors by type, then value, and takes duplicates out. */
export function canonicalSelectors(selectors: readonly SelectorRecord[]): SelectorRecord[] {
  const sorted = [...selectors].sort(compareSelectors);
  return sorted.filter((selector, index) => {
    const previous = sorted[index - 1];
    return previous === undefined || compareSelectors(previous, selector) !== 0;
  });
}

/** Order of selectors: by type, then by value, in code units. */
export function compareSelectors(a: SelectorRecord, b: SelectorRecord): number {
  return compareText(a.type, b.type) || compareText(a.value, b.value);
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
  return [...new Set(names)].sort(compareText);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
