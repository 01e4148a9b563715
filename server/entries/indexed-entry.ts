import type { Selector } from "../../proto/selector.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";
import { Interner } from "./interner.ts";
import { SelectorInterner } from "./selector-interner.ts";

/** What many entries have in common: everything but who they are and whom they match. */
export type EntryTerms = Omit<
  AuthorizedEntryRecord,
  "id" | "spiffeId" | "parentId" | "selectors" | "revisionNumber" | "createdAt"
>;

/**
 * An entry in memory, laid out for a million of them: equal parts are shared, and instead of lists per parent and per SPIFFE ID
 * the entries themselves are chained. The links belong to EntryGraph; all else never changes.
 */
export class IndexedEntry {
  readonly id: string;
  readonly spiffeId: string;
  readonly parentId: string;
  readonly selectors: readonly Selector[];
  readonly revisionNumber: number;
  readonly createdAt: number;
  readonly terms: EntryTerms;
  /** Neighbours among the children of the same parent. */
  nextSibling: IndexedEntry | undefined;
  previousSibling: IndexedEntry | undefined;
  /** Neighbours among the entries with the same SPIFFE ID. */
  nextNamesake: IndexedEntry | undefined;
  previousNamesake: IndexedEntry | undefined;

  constructor(entry: AuthorizedEntryRecord, shared: SharedParts) {
    this.id = entry.id;
    this.spiffeId = shared.textOf(entry.spiffeId);
    this.parentId = shared.textOf(entry.parentId);
    this.selectors = entry.selectors.map((selector) => shared.selectors.intern(selector));
    this.revisionNumber = entry.revisionNumber;
    this.createdAt = entry.createdAt;
    this.terms = shared.terms.intern(termsOf(entry));
  }

  /** The entry as others see it. */
  toRecord(): AuthorizedEntryRecord {
    const { id, spiffeId, parentId, selectors, revisionNumber, createdAt, terms } = this;
    return { id, spiffeId, parentId, selectors, revisionNumber, createdAt, ...terms };
  }
}

/** What entries share. */
export class SharedParts {
  readonly selectors: SelectorInterner = new SelectorInterner();
  readonly terms: Interner<EntryTerms> = new Interner((terms) => JSON.stringify(terms));
  /** An ID as others have it, to have it in memory once. */
  readonly textOf: (id: string) => string;

  constructor(textOf: (id: string) => string) {
    this.textOf = textOf;
  }
}

function termsOf(entry: AuthorizedEntryRecord): EntryTerms {
  return {
    x509SvidTtlSeconds: entry.x509SvidTtlSeconds,
    jwtSvidTtlSeconds: entry.jwtSvidTtlSeconds,
    federatesWith: entry.federatesWith,
    admin: entry.admin,
    downstream: entry.downstream,
    storeSvid: entry.storeSvid,
    expiresAt: entry.expiresAt,
    dnsNames: entry.dnsNames,
    hint: entry.hint,
    disableX509SvidPrefetch: entry.disableX509SvidPrefetch,
    jwtSvidIncludeJti: entry.jwtSvidIncludeJti,
    allowedAudiences: entry.allowedAudiences,
    unrestrictedFederation: entry.unrestrictedFederation,
    instanceScope: entry.instanceScope,
    jwtAlgorithm: entry.jwtAlgorithm,
  };
}
