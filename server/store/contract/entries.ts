import type { SetMatch } from "../../../proto/selector.ts";
import type { EntryKeys } from "../commit.ts";
import type { EntryRecord, EntryUsageRecord, SelectorRecord } from "../records.ts";
import type { ItemResult, Operation, Page, PageRequest } from "./operation.ts";
import type { ScannedEntries } from "./scanned-entries.ts";

/** An entry that is to be created; it has passed validation and has its ID. */
export type NewEntry = Omit<EntryRecord, "revisionNumber" | "createdAt">;

/** The fields of an entry that an update may set. */
export type EntryFields = Omit<EntryRecord, "id" | "revisionNumber" | "createdAt">;

export interface CreateEntries {
  readonly entries: readonly NewEntry[];
  readonly now: number;
  /** Recorded as createdBy. */
  readonly actor: string;
}

export interface EntryUpdate {
  readonly id: string;
  /** The revision number that the caller has seen: when the entry has another by now, it is left alone. */
  readonly expectedRevision?: number;
  /** The fields to set; what is absent stays as it is. Of `side`, only what is present is set. */
  readonly set: Partial<Omit<EntryFields, "side">> & {
    readonly side?: Partial<EntryFields["side"]>;
  };
}

export interface UpdateEntries {
  readonly updates: readonly EntryUpdate[];
  /** Recorded as updatedBy. */
  readonly actor: string;
}

export interface DeleteEntries {
  readonly ids: readonly string[];
  /** By ID, the revision number that the caller has seen; an entry that is not named here is deleted as it is. */
  readonly expectedRevisions?: ReadonlyMap<string, number>;
}

export interface ListEntriesFilter {
  readonly bySpiffeId?: string;
  readonly byParentId?: string;
  readonly bySelectors?: {
    readonly match: SetMatch;
    readonly selectors: readonly SelectorRecord[];
  };
  readonly byFederatesWith?: {
    readonly match: SetMatch;
    readonly trustDomains: readonly string[];
  };
  readonly byHint?: string;
  readonly byDownstream?: boolean;
  /** The empty string asks for entries without an owner. */
  readonly byOwner?: string;
  /** Entries whose origin is this cluster. */
  readonly byOriginCluster?: string;
  /** Entries that were created before this instant and for which nothing was issued since. */
  readonly unusedSince?: number;
}

export interface ListedEntry {
  readonly entry: EntryRecord;
  readonly usage: EntryUsageRecord;
}

export interface EntryUse {
  readonly entryId: string;
  readonly at: number;
}

/** An entry that ended because its time was up, from the change log. */
export interface ExpiredEntry extends EntryKeys {
  readonly id: string;
  readonly selectors: readonly SelectorRecord[];
  readonly expiresAt: number;
}

export interface EntryWrites {
  /**
   * Creates each entry or says why not: ALREADY_EXISTS "similar entry already exists" with the existing one when parent,
   * SPIFFE ID and selectors are the same, INVALID_ARGUMENT when a federated bundle is not known.
   */
  createEntries: Operation<CreateEntries, readonly ItemResult<EntryRecord>[]>;
  /**
   * NOT_FOUND, ABORTED when it has changed since the caller saw it, ALREADY_EXISTS with the other entry when it would become its
   * duplicate, INVALID_ARGUMENT as above.
   */
  updateEntries: Operation<UpdateEntries, readonly ItemResult<EntryRecord>[]>;
  /** Answers with the entry as it was, or NOT_FOUND, or ABORTED when it has changed since the caller saw it. */
  deleteEntries: Operation<DeleteEntries, readonly ItemResult<EntryRecord>[]>;
  /** Deletes entries whose expiry is at or before `now`, at most `limit` of them; answers how many. */
  deleteExpiredEntries: Operation<{ readonly now: number; readonly limit: number }, number>;
  /** Raises lastIssued and lastDelivered; takes no revision and ignores entries that are gone. */
  recordEntryUse: Operation<
    { readonly issued: readonly EntryUse[]; readonly delivered: readonly EntryUse[] },
    undefined
  >;
}

export interface EntryReads {
  getEntry: Operation<{ readonly id: string }, ListedEntry | undefined>;
  /** Those that exist, in no particular order. */
  getEntries: Operation<{ readonly ids: readonly string[] }, readonly EntryRecord[]>;
  /** In an order that never changes: by creation, unless the filter's index has a better one. */
  listEntries: Operation<
    { readonly filter: ListEntriesFilter; readonly page: PageRequest },
    Page<ListedEntry>
  >;
  countEntries: Operation<{ readonly filter: ListEntriesFilter }, number>;
  /** All entries in order of creation, without their side records: what an index loads. */
  scanEntries: Operation<PageRequest, ScannedEntries>;
  /** The earliest expiry of any entry. */
  nextEntryExpiry: Operation<Record<string, never>, number | undefined>;
  /**
   * Entries that share selectors with the given set, those with the fewest others first. Looks at a bounded number of
   * entries per selector, so among very common selectors it may miss some.
   */
  entriesNearSelectors: Operation<
    { readonly selectors: readonly SelectorRecord[]; readonly limit: number },
    readonly EntryRecord[]
  >;
  /** The newest expired entries that the change log still holds. */
  recentlyExpiredEntries: Operation<{ readonly limit: number }, readonly ExpiredEntry[]>;
}
