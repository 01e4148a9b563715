import { type Selector, selectorKey, selectorKeys } from "../../proto/selector.ts";

/** A node as far as authorisation asks for it. */
export interface AttestedAgent {
  readonly id: string;
  readonly selectors: readonly Selector[];
  readonly banned: boolean;
}

interface KnownAgent extends AttestedAgent {
  readonly keys: ReadonlySet<string>;
}

/** The attested agents, by ID and by selector. */
export class AttestedAgents {
  readonly #byId = new Map<string, KnownAgent>();
  readonly #bySelector = new Map<string, Set<KnownAgent>>();

  get(id: string): AttestedAgent | undefined {
    return this.#byId.get(id);
  }

  put(agent: AttestedAgent): void {
    this.remove(agent.id);
    const { id, selectors, banned } = agent;
    const known: KnownAgent = { id, selectors, banned, keys: selectorKeys(selectors) };
    this.#byId.set(id, known);
    for (const key of known.keys) {
      const agents = this.#bySelector.get(key);
      if (agents === undefined) this.#bySelector.set(key, new Set([known]));
      else agents.add(known);
    }
  }

  remove(id: string): void {
    const known = this.#byId.get(id);
    if (known === undefined) return;
    this.#byId.delete(id);
    for (const key of known.keys) {
      const agents = this.#bySelector.get(key);
      agents?.delete(known);
      if (agents?.size === 0) this.#bySelector.delete(key);
    }
  }

  /** Whether the node has all of the selectors. No node has none of them: an empty set matches nobody. */
  has(id: string, selectors: readonly Selector[]): boolean {
    const keys = this.#byId.get(id)?.keys;
    if (keys === undefined || selectors.length === 0) return false;
    return selectors.every((selector) => keys.has(selectorKey(selector)));
  }

  /** IDs of the agents whose nodes have all of the selectors. Looks at those that have the rarest of them. */
  *withAll(selectors: readonly Selector[]): Generator<string> {
    let fewest: ReadonlySet<KnownAgent> | undefined;
    for (const selector of selectors) {
      const agents = this.#bySelector.get(selectorKey(selector));
      if (agents === undefined) return;
      if (fewest === undefined || agents.size < fewest.size) fewest = agents;
    }
    for (const { id } of fewest ?? []) if (this.has(id, selectors)) yield id;
  }
}
