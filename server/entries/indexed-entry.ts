import { parseSelectorsText, type Selector, selectorsText } from "../../proto/selector.ts";
import type { EntryTerms } from "../store/contract/entry-terms.ts";
import type { ScannedEntry } from "../store/contract/scanned-entries.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";

/**
 * An entry in memory, laid out for a million of them: equal parts are shared, selectors are a text until somebody asks, and instead
 * of lists per parent and per SPIFFE ID the entries themselves are chained. The links belong to EntryGraph, and so does which copy
 * of a text the two IDs are; all else never changes.
 */
export class IndexedEntry {
  readonly id: string;
  spiffeId: string;
  parentId: string;
  readonly revisionNumber: number;
  readonly createdAt: number;
  readonly terms: EntryTerms;
  /** Neighbours among the children of the same parent. */
  nextSibling: IndexedEntry | undefined;
  previousSibling: IndexedEntry | undefined;
  /** Neighbours among the entries with the same SPIFFE ID. */
  nextNamesake: IndexedEntry | undefined;
  previousNamesake: IndexedEntry | undefined;
  #selectors: string | readonly Selector[];

  constructor(entry: ScannedEntry) {
    this.id = entry.id;
    this.spiffeId = entry.spiffeId;
    this.parentId = entry.parentId;
    this.revisionNumber = entry.revisionNumber;
    this.createdAt = entry.createdAt;
    this.terms = entry.terms;
    this.#selectors = entry.selectorsText;
  }

  /** In the order of compareSelectors. Read anew each time, unless they are kept. */
  get selectors(): readonly Selector[] {
    const selectors = this.#selectors;
    return typeof selectors === "string" ? parseSelectorsText(selectors) : selectors;
  }

  /** Keeps the selectors as they are answered, for an entry that is asked again and again. */
  keepSelectors(): void {
    this.#selectors = this.selectors;
  }

  /** The entry as others see it. */
  toRecord(): AuthorizedEntryRecord {
    const { id, spiffeId, parentId, selectors, revisionNumber, createdAt, terms } = this;
    return { id, spiffeId, parentId, selectors, revisionNumber, createdAt, ...terms };
  }
}

/** A record in the form in which a scan has it. */
export function scannedForm(record: AuthorizedEntryRecord, terms: EntryTerms): ScannedEntry {
  const { id, spiffeId, parentId, selectors, revisionNumber, createdAt } = record;
  const own = { id, spiffeId, parentId, revisionNumber, createdAt };
  return { ...own, selectorsText: selectorsText(selectors), terms };
}
