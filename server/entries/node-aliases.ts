import { type Selector, selectorKey } from "../../proto/selector.ts";
import type { IndexedEntry } from "./indexed-entry.ts";

/**
 * The entries whose parent is the server: each gives a second ID, an alias, to every node that has its selectors. They are filed
 * under one of their selectors, which is enough to find them by all selectors of a node.
 */
export class NodeAliases {
  readonly #bySelector = new Map<string, Set<IndexedEntry>>();

  put(alias: IndexedEntry): void {
    const key = fileKey(alias.selectors);
    if (key === undefined) return;
    const filed = this.#bySelector.get(key);
    if (filed === undefined) this.#bySelector.set(key, new Set([alias]));
    else filed.add(alias);
  }

  remove(alias: IndexedEntry): void {
    const key = fileKey(alias.selectors);
    const filed = key === undefined ? undefined : this.#bySelector.get(key);
    filed?.delete(alias);
    if (key !== undefined && filed?.size === 0) this.#bySelector.delete(key);
  }

  /** Aliases that may belong to a node with these selectors; the caller checks the whole set. */
  *candidates(nodeSelectors: readonly Selector[]): Generator<IndexedEntry> {
    for (const selector of nodeSelectors) {
      yield* this.#bySelector.get(selectorKey(selector)) ?? [];
    }
  }
}

function fileKey(selectors: readonly Selector[]): string | undefined {
  const [first] = selectors;
  return first && selectorKey(first);
}
