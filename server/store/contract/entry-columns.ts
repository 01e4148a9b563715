import type { EntryTerms } from "./entry-terms.ts";

/**
 * Entries column by column, each of the same length, because a few long lists cross from one thread to the other for a fraction of
 * what a thousand records cost. What entries have in common stands beside them, and each has its place.
 */
export interface EntryColumns {
  readonly ids: readonly string[];
  readonly spiffeIds: readonly string[];
  /** As selectorsText() writes them. */
  readonly selectors: readonly string[];
  /** For each entry, where in `parentIds` its own is; likewise for the terms. */
  readonly parentPlaces: readonly number[];
  readonly termsPlaces: readonly number[];
  readonly parentIds: readonly string[];
  readonly terms: readonly EntryTerms[];
}
