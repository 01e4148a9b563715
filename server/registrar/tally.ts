/** What came of a rule for one pod, as far as the resource's status tells it. */
export interface GroupRecord {
  /** Name of the resource. */
  readonly resource: string;
  readonly kind: "entry" | "masked" | "nothing" | "failed";
  /** "namespace/name", or the resource's own name for a static entry. */
  readonly pod: string;
  /** For an entry. */
  readonly spiffeId?: string;
  readonly rootOwner?: string;
  /** For a failure. */
  readonly message?: string;
}

/** Another resource that gives a pod another identity. */
export interface Conflict {
  readonly pod: string;
  readonly spiffeId: string;
  readonly by: string;
}

/** What a resource amounts to at the moment. */
export interface ResourceTally {
  readonly selected: number;
  readonly failed: number;
  readonly masked: number;
  readonly waiting: number;
  readonly entries: number;
  readonly refused: number;
  /** Pods that went wrong, and why; the first ten by name. */
  readonly errors: readonly { readonly pod: string; readonly message: string }[];
  readonly conflicts: readonly Conflict[];
  readonly conflictCount: number;
  readonly shared: readonly { readonly spiffeId: string; readonly owners: readonly string[] }[];
}

interface Counts {
  selected: number;
  failed: number;
  masked: number;
  waiting: number;
  entries: number;
  /** By group: what went wrong. */
  readonly errors: Map<string, { readonly pod: string; readonly message: string }>;
  /** By group: what the server said. */
  readonly refusals: Map<string, { readonly pod: string; readonly message: string }>;
  readonly conflicts: Map<string, Conflict>;
  /** How many entries have an ID. */
  readonly ids: Map<string, number>;
}

const FIRST = 10;

/**
 * Counts what came of each resource, group by group: setting a group takes away what it counted for before, so a change costs
 * that change. Also knows whose workloads stand behind each SPIFFE ID.
 */
export class Tally {
  readonly #records = new Map<string, readonly GroupRecord[]>();
  readonly #counts = new Map<string, Counts>();
  readonly #ownersById = new Map<string, Map<string, number>>();
  readonly #changed: (resource: string) => void;

  /** @param changed told of each resource whose tally may have changed */
  constructor(changed: (resource: string) => void) {
    this.#changed = changed;
  }

  /** Replaces what a group counts for; without records the group is forgotten. */
  set(group: string, records: readonly GroupRecord[]): void {
    const before = this.#records.get(group) ?? [];
    for (const record of before) this.#count(group, record, before, -1);
    if (records.length === 0) this.#records.delete(group);
    else this.#records.set(group, records);
    for (const record of records) this.#count(group, record, records, 1);
  }

  /** Notes what the server said to a group's entries of a resource; undefined when it took them. */
  refused(group: string, resource: string, message: string | undefined): void {
    const counts = this.#counts.get(resource);
    if (counts === undefined) return;
    if (message === undefined) {
      if (counts.refusals.delete(group)) this.#changed(resource);
      return;
    }
    const record = this.#records.get(group)?.find((each) => each.resource === resource);
    if (record === undefined) return;
    counts.refusals.set(group, { pod: record.pod, message });
    this.#changed(resource);
  }

  /** Resources that have a part in a group. */
  resourcesOf(group: string): readonly string[] {
    return (this.#records.get(group) ?? []).map(({ resource }) => resource);
  }

  /** How many groups the server has refused something of. */
  get refusedCount(): number {
    return this.#counts.values().reduce((sum, { refusals }) => sum + refusals.size, 0);
  }

  of(resource: string): ResourceTally {
    const counts = this.#counts.get(resource) ?? newCounts();
    const { selected, failed, masked, waiting, entries, errors, refusals, conflicts } = counts;
    return {
      selected,
      failed,
      masked,
      waiting,
      entries,
      refused: refusals.size,
      errors: firstByPod([...errors.values(), ...refusals.values()]),
      conflicts: firstByPod([...conflicts.values()]),
      conflictCount: conflicts.size,
      shared: this.#sharedOf(counts),
    };
  }

  #sharedOf({ ids }: Counts): ResourceTally["shared"] {
    const shared: { readonly spiffeId: string; readonly owners: readonly string[] }[] = [];
    for (const spiffeId of ids.keys()) {
      const owners = this.#ownersById.get(spiffeId);
      if (owners === undefined || owners.size < 2) continue;
      shared.push({ spiffeId, owners: [...owners.keys()].sort().slice(0, FIRST) });
      if (shared.length === FIRST) break;
    }
    return shared;
  }

  #count(group: string, record: GroupRecord, all: readonly GroupRecord[], by: 1 | -1): void {
    const counts = this.#counts.get(record.resource) ?? newCounts();
    this.#counts.set(record.resource, counts);
    counts.selected += by;
    switch (record.kind) {
      case "failed":
        counts.failed += by;
        break;
      case "masked":
        counts.masked += by;
        break;
      case "nothing":
        counts.waiting += by;
        break;
      case "entry":
        counts.entries += by;
        break;
    }
    if (by === 1) this.#remember(counts, group, record, all);
    else forget(counts, group);
    this.#countOwner(counts, record, by);
    if (counts.selected === 0) this.#counts.delete(record.resource);
    this.#changed(record.resource);
  }

  #remember(
    counts: Counts,
    group: string,
    { kind, pod, message = "", resource, spiffeId }: GroupRecord,
    all: readonly GroupRecord[],
  ): void {
    if (kind === "failed") counts.errors.set(group, { pod, message });
    if (kind !== "entry") return;
    const other = all.find(
      (each) => each.kind === "entry" && each.resource !== resource && each.spiffeId !== spiffeId,
    );
    if (other?.spiffeId === undefined) return;
    counts.conflicts.set(group, { pod, spiffeId: other.spiffeId, by: other.resource });
  }

  #countOwner({ ids }: Counts, { spiffeId, rootOwner }: GroupRecord, by: 1 | -1): void {
    if (spiffeId === undefined) return;
    addTo(ids, spiffeId, by);
    if (rootOwner === undefined) return;
    const owners = this.#ownersById.get(spiffeId) ?? new Map<string, number>();
    const before = owners.size;
    addTo(owners, rootOwner, by);
    if (owners.size === 0) this.#ownersById.delete(spiffeId);
    else this.#ownersById.set(spiffeId, owners);
    if (before === owners.size || Math.max(before, owners.size) < 2) return;
    // Whoever gives the same ID has become one of several, or alone again.
    for (const [resource, counts] of this.#counts) {
      if (counts.ids.has(spiffeId)) this.#changed(resource);
    }
  }
}

function newCounts(): Counts {
  return {
    selected: 0,
    failed: 0,
    masked: 0,
    waiting: 0,
    entries: 0,
    errors: new Map(),
    refusals: new Map(),
    conflicts: new Map(),
    ids: new Map(),
  };
}

function forget(counts: Counts, group: string): void {
  counts.errors.delete(group);
  counts.conflicts.delete(group);
  counts.refusals.delete(group);
}

function addTo(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count <= 0) counts.delete(key);
  else counts.set(key, count);
}

function firstByPod<T extends { readonly pod: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => (a.pod < b.pod ? -1 : 1)).slice(0, FIRST);
}
