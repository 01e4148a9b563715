import type { EntryChanges, EntryFields } from "../../proto/convert/entry.ts";
import type { NewEntry } from "../store/contract/entries.ts";
import type { EntryJwtAlgorithm, EntrySideRecord, InstanceScope } from "../store/records.ts";
import { EMPTY_SIDE, OWN_FIELDS, recordFieldsOf } from "./entry-record.ts";

/** What the public API cannot say about an entry (D14). An absent part of an update stays as it is. */
export interface EntryExtra {
  readonly side?: Partial<Omit<EntrySideRecord, "createdBy" | "updatedBy">>;
  readonly allowedAudiences?: readonly string[];
  readonly unrestrictedFederation?: readonly string[];
  readonly instanceScope?: InstanceScope;
  readonly jwtAlgorithm?: EntryJwtAlgorithm;
}

/** An entry that a caller wants to have. Its fields have passed the rules of the protocol. */
export interface EntryDraft {
  /** Chosen by the caller; absent for a UUID. */
  readonly id?: string;
  readonly fields: EntryFields;
  readonly extra: EntryExtra;
}

/** A change that a caller wants to make to an entry. */
export interface EntryRevisionDraft {
  readonly id: string;
  readonly fields: EntryChanges;
  readonly extra: EntryExtra;
}

/** The record that a draft becomes. */
export function newEntryOf({ fields, extra }: EntryDraft, id: string): NewEntry {
  return {
    ...recordFieldsOf(fields),
    ...OWN_FIELDS,
    ...extra,
    id,
    side: extra.side === undefined ? EMPTY_SIDE : { ...EMPTY_SIDE, ...extra.side },
  };
}
