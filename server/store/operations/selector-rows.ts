import { selectorsText } from "../../../proto/selector.ts";
import type { SelectorRecord } from "../records.ts";

/** How a set of selectors is kept in the row of its owner. */
export interface SelectorColumns {
  /** JSON array of [type, value], sorted and without duplicates: equal sets have equal texts. */
  readonly selectors: string;
  readonly selector_count: number;
}

/** The columns for a canonical set. */
export function selectorColumns(canonical: readonly SelectorRecord[]): SelectorColumns {
  return { selectors: selectorsText(canonical), selector_count: canonical.length };
}

/** Sorts names and takes duplicates out. */
export function canonicalNames(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
