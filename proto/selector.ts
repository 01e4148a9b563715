import { hash } from "node:crypto";

/**
 * A fact about a workload or a node, in the words of the attestor that found it out: `{ type: "unix", value: "uid:1000" }`.
 * The type holds no colon; the value may.
 */
export interface Selector {
  readonly type: string;
  readonly value: string;
}

/** Canonical text of a selector, `unix:uid:1000`. Two selectors are equal when their keys are. */
export function selectorKey(selector: Selector): string {
  return `${selector.type}:${selector.value}`;
}

/** Reads the text form, splitting at the first colon; undefined when type or value would be empty. */
export function parseSelector(text: string): Selector | undefined {
  const colon = text.indexOf(":");
  if (colon <= 0 || colon === text.length - 1) return undefined;
  return { type: text.slice(0, colon), value: text.slice(colon + 1) };
}

/** Orders selectors by their keys, code unit by code unit, the same on every machine. */
export function compareSelectors(a: Selector, b: Selector): number {
  if (a.type === b.type) return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
  const left = selectorKey(a);
  const right = selectorKey(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The canonical list of a set of selectors: sorted, each once. A list that is so already is answered as it is. */
export function sortSelectors(selectors: readonly Selector[]): readonly Selector[] {
  if (isCanonical(selectors)) return selectors;
  const byKey = new Map<string, Selector>();
  for (const selector of selectors) byKey.set(selectorKey(selector), selector);
  return [...byKey.values()].sort(compareSelectors);
}

function isCanonical(selectors: readonly Selector[]): boolean {
  for (let i = 1; i < selectors.length; i += 1) {
    const before = selectors[i - 1];
    const after = selectors[i];
    if (before && after && compareSelectors(before, after) >= 0) return false;
  }
  return true;
}

/** The text of a canonical list: a JSON array of [type, value]. Equal sets have equal texts. */
export function selectorsText(canonical: readonly Selector[]): string {
  return JSON.stringify(canonical.map(({ type, value }) => [type, value]));
}

/** Reads what {@link selectorsText} wrote; it checks nothing. */
export function parseSelectorsText(text: string): readonly Selector[] {
  const pairs: readonly (readonly [string, string])[] = JSON.parse(text);
  return pairs.map(([type, value]) => ({ type, value }));
}

/** The keys of a set of selectors, for {@link matchesSet}. */
export function selectorKeys(selectors: Iterable<Selector>): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const selector of selectors) keys.add(selectorKey(selector));
  return keys;
}

/**
 * A fixed-length name for a whole set, whatever its order: SHA-256 over the sorted keys, base64url. Each key is hashed with its
 * length in front, so that no two sets run into the same bytes.
 */
export function selectorSetDigest(selectors: Iterable<Selector>): string {
  const keys = sortedKeys(selectors).map((key) => `${key.length}:${key}`);
  return hash("sha256", keys.join(""), "base64url");
}

/** The keys of a set of selectors in the order of {@link compareSelectors}: equal lists are equal sets. */
export function sortedKeys(selectors: Iterable<Selector>): readonly string[] {
  return [...selectorKeys(selectors)].sort();
}

/** How a record's set is compared with the set that was asked for. */
export type SetMatch = "exact" | "subset" | "superset" | "any";

/**
 * Decides a set filter. `exact`: both are equal; `subset`: the record's set is not empty and holds nothing but wanted members;
 * `superset`: the record's set holds every wanted member; `any`: they have a member in common.
 */
export function matchesSet<T>(
  match: SetMatch,
  recordSet: ReadonlySet<T>,
  wanted: ReadonlySet<T>,
): boolean {
  switch (match) {
    case "exact":
      return recordSet.size === wanted.size && recordSet.isSubsetOf(wanted);
    case "subset":
      return recordSet.size > 0 && recordSet.isSubsetOf(wanted);
    case "superset":
      return recordSet.isSupersetOf(wanted);
    case "any":
      return !recordSet.isDisjointFrom(wanted);
  }
}
