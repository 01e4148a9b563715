import { createHash } from "node:crypto";
import { type EntryTerms, haveSameTerms, termsOf } from "../store/contract/entry-terms.ts";
import {
  entriesOfPage,
  type ScannedEntries,
  type ScannedEntry,
} from "../store/contract/scanned-entries.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";
import { type AttestedAgent, AttestedAgents } from "./attested-agents.ts";
import { EntryGraph } from "./entry-graph.ts";
import { IndexedEntry, scannedForm } from "./indexed-entry.ts";
import { Interner } from "./interner.ts";
import { NodeAliases } from "./node-aliases.ts";
import { SelectorInterner } from "./selector-interner.ts";

/**
 * Who may see what, as plain data without history: it answers, and it takes single changes. What a change means for agents is
 * worked out by AuthorizationChanges.
 *
 * An agent reaches an ID when the ID is its own, or an alias of its node, or the SPIFFE ID of an entry whose parent it reaches.
 * It may see the entries whose parent it reaches.
 */
export class AuthorizationState {
  readonly graph: EntryGraph = new EntryGraph();
  readonly agents: AttestedAgents = new AttestedAgents();
  readonly #aliases = new NodeAliases();
  readonly #terms = new Interner<EntryTerms>((terms) => JSON.stringify(terms));
  #lastTerms: EntryTerms | undefined;
  readonly #selectors = new SelectorInterner();
  readonly #serverId: string;

  /** @param serverId the parent ID of node aliases: "spiffe://<trust domain>/spire/server" */
  constructor(serverId: string) {
    this.#serverId = serverId;
  }

  putEntry(record: AuthorizedEntryRecord): void {
    this.#put(scannedForm(record, this.#termsOf(record)));
  }

  /** Takes in a page of a scan. */
  putPage(page: ScannedEntries): void {
    const terms = page.terms.map((each) => this.#terms.intern(each));
    for (const entry of entriesOfPage({ ...page, terms })) this.#put(entry);
  }

  /** The terms of the record before, where they are the same, as in a batch they mostly are. */
  #termsOf(record: AuthorizedEntryRecord): EntryTerms {
    if (this.#lastTerms === undefined || !haveSameTerms(this.#lastTerms, record)) {
      this.#lastTerms = this.#terms.intern(termsOf(record));
    }
    return this.#lastTerms;
  }

  #put(form: ScannedEntry): void {
    this.removeEntry(form.id);
    const entry = new IndexedEntry(form);
    this.graph.add(entry);
    if (!this.isAlias(entry)) return;
    entry.keepSelectors();
    this.#aliases.put(entry);
  }

  removeEntry(id: string): void {
    const entry = this.graph.get(id);
    if (entry === undefined) return;
    if (this.isAlias(entry)) this.#aliases.remove(entry);
    this.graph.remove(id);
  }

  putAgent({ id, selectors, banned }: AttestedAgent): void {
    const shared = selectors.map((selector) => this.#selectors.intern(selector));
    this.agents.put({ id, selectors: shared, banned });
  }

  /** Whether the entry names nodes rather than workloads. */
  isAlias(entry: Pick<IndexedEntry, "parentId">): boolean {
    return entry.parentId === this.#serverId;
  }

  /** All entries that the agent may see. */
  *entriesOf(agentId: string): Generator<IndexedEntry> {
    for (const parentId of this.graph.parentsBelow(this.#rootsOf(agentId))) {
      yield* this.graph.children(parentId);
    }
  }

  /** The entry if the agent may see it. */
  find(agentId: string, entryId: string): IndexedEntry | undefined {
    const entry = this.graph.get(entryId);
    return entry !== undefined && this.reaches(agentId, entry.parentId) ? entry : undefined;
  }

  /** Whether the agent reaches the ID. Walks up from the ID, so it costs the depth and not the agent's set. */
  reaches(agentId: string, id: string): boolean {
    if (this.agents.get(agentId)?.banned === true) return false;
    if (id === agentId) return true;
    for (const above of this.#walkUp(id)) {
      if (above === agentId) return true;
      for (const entry of this.graph.namesakes(above)) {
        if (this.isAlias(entry) && this.agents.has(agentId, entry.selectors)) return true;
      }
    }
    return false;
  }

  /** IDs of all agents that reach the ID, banned ones among them; also such as have not attested yet. */
  agentsReaching(id: string): Iterable<string> {
    // Of most parents: an agent, and no entry.
    return id === this.#serverId || this.graph.isNamed(id) ? this.#agentsAbove(id) : [id];
  }

  *#agentsAbove(id: string): Generator<string> {
    for (const above of this.#walkUp(id)) {
      yield above;
      for (const entry of this.graph.namesakes(above)) {
        if (this.isAlias(entry)) yield* this.agents.withAll(entry.selectors);
      }
    }
  }

  /** SHA-256 over the agent's selectors, its own ID and its aliases, and the parents that it reaches below them. */
  digest(agentId: string): Uint8Array {
    const agent = this.agents.get(agentId);
    const selectors = agent?.selectors.map(({ type, value }) => [type, value]) ?? [];
    const roots = this.#rootsOf(agentId);
    const reached = roots.union(this.graph.parentsBelow(roots));
    const text = JSON.stringify([selectors, [...reached].sort()]);
    return createHash("sha256").update(text).digest();
  }

  /** The agent's own ID and its aliases; none when it is banned. */
  #rootsOf(agentId: string): Set<string> {
    const agent = this.agents.get(agentId);
    if (agent?.banned === true) return new Set();
    const roots = new Set([agentId]);
    for (const alias of this.#aliases.candidates(agent?.selectors ?? [])) {
      if (this.agents.has(agentId, alias.selectors)) roots.add(alias.spiffeId);
    }
    return roots;
  }

  /** The ID and those above it, each once. Aliases end the way: above them is the server. */
  *#walkUp(id: string): Generator<string> {
    const seen = new Set<string>([this.#serverId]);
    const open = [id];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      yield next;
      for (const entry of this.graph.namesakes(next)) {
        if (!seen.has(entry.parentId)) open.push(entry.parentId);
      }
    }
  }
}
