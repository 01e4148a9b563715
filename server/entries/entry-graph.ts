import type { IndexedEntry } from "./indexed-entry.ts";

/**
 * All entries by ID, by parent and by SPIFFE ID. The parent of an entry is an ID, and the entries with that ID as their SPIFFE
 * ID lead on to their own parents, so this is a graph; it may have cycles, and whoever walks it marks where it was.
 */
export class EntryGraph {
  readonly #byId = new Map<string, IndexedEntry>();
  readonly #firstChild = new Map<string, IndexedEntry>();
  readonly #firstNamesake = new Map<string, IndexedEntry>();

  /** How many entries there are. */
  get size(): number {
    return this.#byId.size;
  }

  get(id: string): IndexedEntry | undefined {
    return this.#byId.get(id);
  }

  /**
   * Adds an entry; there must be none with its ID. Siblings share the text of their parent's ID, and namesakes that of theirs, so
   * that memory holds it once.
   */
  add(entry: IndexedEntry): void {
    this.#byId.set(entry.id, entry);
    const child = this.#firstChild.get(entry.parentId);
    if (child !== undefined) {
      entry.parentId = child.parentId;
      entry.nextSibling = child;
      child.previousSibling = entry;
    }
    this.#firstChild.set(entry.parentId, entry);
    const namesake = this.#firstNamesake.get(entry.spiffeId);
    if (namesake !== undefined) {
      entry.spiffeId = namesake.spiffeId;
      entry.nextNamesake = namesake;
      namesake.previousNamesake = entry;
    }
    this.#firstNamesake.set(entry.spiffeId, entry);
  }

  /** Takes an entry out. */
  remove(id: string): void {
    const entry = this.#byId.get(id);
    if (entry === undefined) return;
    this.#byId.delete(id);
    const { nextSibling, previousSibling, nextNamesake, previousNamesake } = entry;
    if (nextSibling !== undefined) nextSibling.previousSibling = previousSibling;
    if (previousSibling !== undefined) previousSibling.nextSibling = nextSibling;
    else setFirst(this.#firstChild, entry.parentId, nextSibling);
    if (nextNamesake !== undefined) nextNamesake.previousNamesake = previousNamesake;
    if (previousNamesake !== undefined) previousNamesake.nextNamesake = nextNamesake;
    else setFirst(this.#firstNamesake, entry.spiffeId, nextNamesake);
    entry.nextSibling = undefined;
    entry.previousSibling = undefined;
    entry.nextNamesake = undefined;
    entry.previousNamesake = undefined;
  }

  /** Whether any entry has this ID as its parent. */
  isParent(id: string): boolean {
    return this.#firstChild.has(id);
  }

  /** Whether any entry has this ID as its SPIFFE ID. */
  isNamed(id: string): boolean {
    return this.#firstNamesake.has(id);
  }

  /** The entries whose parent is `parentId`. */
  *children(parentId: string): Generator<IndexedEntry> {
    let entry = this.#firstChild.get(parentId);
    while (entry !== undefined) {
      yield entry;
      entry = entry.nextSibling;
    }
  }

  /** The entries whose SPIFFE ID is `spiffeId`. */
  *namesakes(spiffeId: string): Generator<IndexedEntry> {
    let entry = this.#firstNamesake.get(spiffeId);
    while (entry !== undefined) {
      yield entry;
      entry = entry.nextNamesake;
    }
  }

  /** The IDs among and below `roots` that are parents of entries. */
  parentsBelow(roots: Iterable<string>): Set<string> {
    const found = new Set<string>();
    const open = [...roots];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (found.has(id) || !this.isParent(id)) continue;
      found.add(id);
      for (const child of this.children(id)) {
        if (this.isParent(child.spiffeId)) open.push(child.spiffeId);
      }
    }
    return found;
  }
}

function setFirst(
  chains: Map<string, IndexedEntry>,
  id: string,
  first: IndexedEntry | undefined,
): void {
  if (first === undefined) chains.delete(id);
  else chains.set(id, first);
}
