import type { EntryChanges, EntryFields } from "../../proto/convert/entry.ts";
import type { NewEntry } from "../store/contract/entries.ts";
import type { EntryRecord, EntrySideRecord, InstanceScope } from "../store/records.ts";

/** What the public API cannot say about an entry (D14). An absent part of an update stays as it is. */
export interface EntryExtra {
  readonly side?: Partial<Omit<EntrySideRecord, "createdBy" | "updatedBy">>;
  readonly allowedAudiences?: readonly string[];
  readonly instanceScope?: InstanceScope;
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

type StoredFields = Omit<
  EntryRecord,
  "id" | "revisionNumber" | "createdAt" | "side" | "allowedAudiences" | "instanceScope"
>;

const emptySide: EntrySideRecord = {
  owner: "",
  purpose: "",
  labels: {},
  ticket: "",
  reviewBy: 0,
  createdBy: "",
  updatedBy: "",
};

/** The record that a draft becomes. */
export function newEntryOf({ fields, extra }: EntryDraft, id: string): NewEntry {
  return {
    id,
    ...(storedFields(fields) as StoredFields),
    allowedAudiences: extra.allowedAudiences ?? [],
    instanceScope: extra.instanceScope ?? "",
    side: { ...emptySide, ...extra.side },
  };
}

/** The fields that a change sets, in the form of the store: exactly those that were given. */
export function storedFields(fields: EntryChanges): Partial<StoredFields> {
  const { spiffeId, parentId, federatesWith, expiresAt, ...same } = fields;
  return {
    ...(same as Partial<StoredFields>),
    ...(spiffeId && { spiffeId: spiffeId.toString() }),
    ...(parentId && { parentId: parentId.toString() }),
    ...(federatesWith && { federatesWith: federatesWith.map(({ name }) => name) }),
    // Present and undefined means: never.
    ...("expiresAt" in fields && {
      expiresAt: expiresAt === undefined ? 0 : Math.floor(expiresAt.getTime() / 1000),
    }),
  };
}
