import type { EntryChanges, EntryFields } from "../../proto/convert/entry.ts";
import type { EntryFields as RecordFields } from "../store/contract/entries.ts";
import type { EntrySideRecord } from "../store/records.ts";

/** A side record that says nothing. */
export const EMPTY_SIDE: EntrySideRecord = {
  owner: "",
  purpose: "",
  labels: {},
  ticket: "",
  reviewBy: 0,
  createdBy: "",
  updatedBy: "",
};

/** The fields of a record that only we know of, as they are when nobody says anything about them. */
export const OWN_FIELDS: Pick<
  RecordFields,
  "allowedAudiences" | "unrestrictedFederation" | "instanceScope" | "jwtAlgorithm" | "side"
> = {
  allowedAudiences: [],
  unrestrictedFederation: [],
  instanceScope: "",
  jwtAlgorithm: "",
  side: EMPTY_SIDE,
};

type StockFields = Omit<RecordFields, keyof typeof OWN_FIELDS>;

/** What a caller said about an entry, as the store keeps it. */
export function recordFieldsOf(fields: EntryFields): StockFields {
  return {
    ...fields,
    spiffeId: fields.spiffeId.toString(),
    parentId: fields.parentId.toString(),
    federatesWith: fields.federatesWith.map(({ name }) => name),
    expiresAt: secondsOf(fields.expiresAt),
  };
}

/** The fields that an update names, as the store keeps them. */
export function recordChangesOf(changes: EntryChanges): Partial<StockFields> {
  const { spiffeId, parentId, federatesWith, expiresAt, ...plain } = changes;
  return {
    ...definedOf(plain),
    ...(spiffeId === undefined ? {} : { spiffeId: spiffeId.toString() }),
    ...(parentId === undefined ? {} : { parentId: parentId.toString() }),
    ...(federatesWith === undefined
      ? {}
      : { federatesWith: federatesWith.map(({ name }) => name) }),
    // Here a key without a value means: never expires.
    ...("expiresAt" in changes ? { expiresAt: secondsOf(expiresAt) } : {}),
  };
}

function definedOf<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const defined = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined) as { [K in keyof T]?: NonNullable<T[K]> };
}

function secondsOf(instant: Date | undefined): number {
  return instant === undefined ? 0 : Math.floor(instant.getTime() / 1000);
}
