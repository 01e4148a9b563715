import { sortSelectors } from "../../../../proto/selector.ts";
import { memoLast } from "../../../../runtime/memo-last.ts";
import type { CreateEntries, NewEntry } from "../../contract/entries.ts";
import type { EntryRecord, EntrySideRecord } from "../../records.ts";
import { canonicalNames } from "../selector-rows.ts";

/**
 * The records of new entries: in canonical order, at revision 0. Entries that are given one side record share one, as those of a
 * batch mostly do. Doing it twice makes the same as doing it once.
 */
export function newRecords({ entries, now, actor }: CreateEntries): readonly EntryRecord[] {
  const sideOf = memoLast(
    (given: EntrySideRecord): EntrySideRecord => ({ ...given, createdBy: actor, updatedBy: actor }),
  );
  return entries.map((entry) => ({
    ...canonicalEntry(entry),
    revisionNumber: 0,
    createdAt: now,
    side: sideOf(entry.side),
  }));
}

/** The entry with its sets in canonical order. */
export function canonicalEntry<Entry extends NewEntry>(entry: Entry): Entry {
  return {
    ...entry,
    selectors: sortSelectors(entry.selectors),
    ...canonicalFederation(entry),
  };
}

// What an entry does not federate with, it cannot do without limits either.
function canonicalFederation(
  entry: Pick<NewEntry, "federatesWith" | "unrestrictedFederation">,
): Pick<NewEntry, "federatesWith" | "unrestrictedFederation"> {
  if (entry.federatesWith.length === 0) return NO_FEDERATION;
  const federatesWith = canonicalNames(entry.federatesWith);
  const names = new Set(entry.unrestrictedFederation);
  return { federatesWith, unrestrictedFederation: federatesWith.filter((each) => names.has(each)) };
}

const NO_FEDERATION = { federatesWith: [], unrestrictedFederation: [] } as const;
