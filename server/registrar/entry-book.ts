import {
  type ActualEntry,
  contentOf,
  type DesiredEntry,
  ENTRY_LABELS,
  groupOf,
  identityOf,
} from "./desired-entry.ts";

/** An entry of the registrar's, as far as it has to be remembered. */
export interface KnownEntry {
  readonly id: string;
  readonly identity: string;
  readonly content: string;
  /** Kind and UID of the resource that it came from. */
  readonly resource: string;
}

/** What has to be done so that a group has the entries that it is to have. */
export interface GroupChanges {
  readonly create: readonly DesiredEntry[];
  readonly update: readonly ActualEntry[];
  readonly remove: readonly string[];
}

/** The registrar's own entries by group, as the server has them as far as the registrar knows. */
export class EntryBook {
  readonly #byGroup = new Map<string, readonly KnownEntry[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Groups that have entries. */
  get groups(): Iterable<string> {
    return this.#byGroup.keys();
  }

  get groupCount(): number {
    return this.#byGroup.size;
  }

  of(group: string): readonly KnownEntry[] {
    return this.#byGroup.get(group) ?? [];
  }

  /** Replaces what is known of a group. */
  set(group: string, entries: readonly KnownEntry[]): void {
    this.#size += entries.length - this.of(group).length;
    if (entries.length === 0) this.#byGroup.delete(group);
    else this.#byGroup.set(group, entries);
  }

  /** Notes an entry that was created or changed. */
  put(id: string, entry: DesiredEntry): void {
    const group = groupOf(entry);
    this.set(group, [...this.of(group).filter((each) => each.id !== id), knownEntry(id, entry)]);
  }

  /** Notes that an entry is gone. */
  drop(group: string, id: string): void {
    this.set(
      group,
      this.of(group).filter((each) => each.id !== id),
    );
  }
}

/** The registrar's entries as they were listed, and the clusters that they say they are of. */
export class ListedEntries {
  readonly byGroup: Map<string, KnownEntry[]> = new Map();
  readonly clusterUids: Set<string> = new Set();
  readonly kinds: Set<string> = new Set();

  add(entries: readonly ActualEntry[]): void {
    for (const entry of entries) {
      const group = groupOf(entry);
      const known = this.byGroup.get(group) ?? [];
      known.push(knownEntry(entry.id, entry));
      this.byGroup.set(group, known);
      this.kinds.add(entry.origin.kind);
      const uid = entry.labels[ENTRY_LABELS.clusterUid];
      if (uid) this.clusterUids.add(uid);
    }
  }
}

/**
 * Compares what a group is to have with what it has. An entry is kept for whatever wants the same identity, else it is changed
 * into what its resource wants now; so identities are replaced in place, and two that swap never meet.
 */
export function changesOf(
  desired: readonly DesiredEntry[],
  known: readonly KnownEntry[],
): GroupChanges {
  const left = new Set(known);
  const take = (isWanted: (entry: KnownEntry) => boolean): KnownEntry | undefined => {
    const found = left.values().find(isWanted);
    if (found !== undefined) left.delete(found);
    return found;
  };
  const update: ActualEntry[] = [];
  const homeless = desired.filter((entry) => {
    const identity = identityOf(entry);
    const same = take((each) => each.identity === identity);
    if (same === undefined) return true;
    if (same.content !== contentOf(entry)) update.push({ ...entry, id: same.id });
    return false;
  });
  const create = homeless.filter((entry) => {
    const resource = resourceOf(entry);
    const own = take((each) => each.resource === resource);
    if (own === undefined) return true;
    update.push({ ...entry, id: own.id });
    return false;
  });
  return { create, update, remove: [...left].map(({ id }) => id) };
}

function knownEntry(id: string, entry: DesiredEntry): KnownEntry {
  return {
    id,
    identity: identityOf(entry),
    content: contentOf(entry),
    resource: resourceOf(entry),
  };
}

function resourceOf({ origin }: DesiredEntry): string {
  return `${origin.kind} ${origin.uid}`;
}
