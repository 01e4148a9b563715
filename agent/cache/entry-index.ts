import { type Selector, selectorKey, selectorKeys } from "../../proto/selector.ts";
import type { CachedEntry } from "./entry.ts";

/**
 * The entries of this agent, found by id and by what a caller is. Every entry stands under one of its selectors, its anchor,
 * which is the one that the fewest entries stand under when it arrives; a caller is compared only with the entries under its
 * own selectors, not with all of them.
 */
export class EntryIndex {
  readonly #byId = new Map<string, { entry: CachedEntry; anchor: string | undefined }>();
  readonly #byAnchor = new Map<string, Set<CachedEntry>>();
  /** How many selectors of each kind there are; see {@link asksFor}. */
  readonly #kinds = new Map<string, number>();
  #newKinds = 0;

  get size(): number {
    return this.#byId.size;
  }

  /** How often an entry came that asks for a kind of selector which none asked for before. */
  get newKinds(): number {
    return this.#newKinds;
  }

  get(id: string): CachedEntry | undefined {
    return this.#byId.get(id)?.entry;
  }

  *values(): IterableIterator<CachedEntry> {
    for (const { entry } of this.#byId.values()) yield entry;
  }

  /** Adds an entry, or replaces the one with its id. */
  put(entry: CachedEntry): void {
    this.remove(entry.id);
    const anchor = this.#chooseAnchor(entry);
    this.#byId.set(entry.id, { entry, anchor });
    this.#countKinds(entry, 1);
    if (anchor === undefined) return;
    const under = this.#byAnchor.get(anchor);
    if (under === undefined) this.#byAnchor.set(anchor, new Set([entry]));
    else under.add(entry);
  }

  /** Takes an entry out; returns it, or undefined when there was none. */
  remove(id: string): CachedEntry | undefined {
    const held = this.#byId.get(id);
    if (held === undefined) return undefined;
    this.#byId.delete(id);
    this.#countKinds(held.entry, -1);
    if (held.anchor !== undefined) {
      const under = this.#byAnchor.get(held.anchor);
      under?.delete(held.entry);
      if (under?.size === 0) this.#byAnchor.delete(held.anchor);
    }
    return held.entry;
  }

  /** The entries that a caller's selectors grant, oldest first. */
  matching(selectors: readonly Selector[]): readonly CachedEntry[] {
    const keys = selectorKeys(selectors);
    const found: CachedEntry[] = [];
    for (const key of keys) {
      for (const entry of this.#byAnchor.get(key) ?? []) {
        if (grants(entry, keys)) found.push(entry);
      }
    }
    return found.sort(byAge);
  }

  /** Whether any entry asks for a kind of selector, for example type "unix" and prefix "sha256:". */
  asksFor(type: string, prefix: string): boolean {
    return this.#kinds.has(kindOf({ type, value: prefix }));
  }

  /**
   * Whether an entry that the selectors do not grant would be granted if every undecided selector turned out to be true. Looks
   * at all entries, so it is for callers of whom something could not be found out.
   */
  couldGrant(
    selectors: readonly Selector[],
    isUndecided: (selector: Selector) => boolean,
  ): boolean {
    const keys = selectorKeys(selectors);
    const isPossible = (selector: Selector): boolean =>
      keys.has(selectorKey(selector)) || isUndecided(selector);
    for (const { entry } of this.#byId.values()) {
      const isOpen = !entry.storeSvid && entry.selectors.length > 0 && !grants(entry, keys);
      if (isOpen && entry.selectors.every(isPossible)) return true;
    }
    return false;
  }

  #countKinds(entry: CachedEntry, change: 1 | -1): void {
    for (const kind of entry.selectors.map(kindOf)) {
      const count = (this.#kinds.get(kind) ?? 0) + change;
      if (count === 1 && change === 1) this.#newKinds += 1;
      if (count === 0) this.#kinds.delete(kind);
      else this.#kinds.set(kind, count);
    }
  }

  #chooseAnchor(entry: CachedEntry): string | undefined {
    let best: string | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const key of entry.selectors.map(selectorKey)) {
      const count = this.#byAnchor.get(key)?.size ?? 0;
      if (count < fewest) {
        best = key;
        fewest = count;
      }
    }
    return best;
  }
}

/**
 * Whether a caller with these selectors (by their keys) may have the entry: it has all that the entry asks for. An entry that
 * asks for nothing, or is meant for a store outside this node, grants nothing here.
 */
export function grants(entry: CachedEntry, callerKeys: ReadonlySet<string>): boolean {
  if (entry.storeSvid || entry.selectors.length === 0) return false;
  return entry.selectors.every((selector) => callerKeys.has(selectorKey(selector)));
}

/** The type and the value up to its first colon: "unix:sha256:". */
function kindOf({ type, value }: Selector): string {
  return `${type}:${value.slice(0, value.indexOf(":") + 1)}`;
}

/** Oldest first, by id where two are equally old: the order in which a workload sees its identities. */
export function byAge(a: CachedEntry, b: CachedEntry): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}
