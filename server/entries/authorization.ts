import type { AuthorizedEntryRecord } from "../store/records.ts";

/** What one commit changed for one agent. */
export interface AuthorizationDelta {
  readonly agentId: string;
  readonly revision: bigint;
  /** Entries that the agent may see now and that it could not see before, or not in this form. */
  readonly upserted: readonly AuthorizedEntryRecord[];
  /** IDs of entries that the agent could see before and may no longer see. */
  readonly removed: readonly string[];
  /** The agent's selectors, aliases or parents may be others than before; then {@link Authorization.digest} may be too. */
  readonly reachChanged: boolean;
}

/**
 * Which agent may see and use which entries: those whose parent is the agent, or a node alias of it (an entry whose parent is
 * the server's ID and whose selectors the node has), or again an entry that the agent may see. Alias entries themselves
 * grant nothing. A banned agent may see nothing. Expiry is not judged here: whoever issues does that.
 */
export interface Authorization {
  /** The store's revision that the answers are true for. It never goes back. */
  readonly revision: bigint;
  /** All entries of an agent, in no particular order. Costs what the agent's set costs. */
  forAgent(agentId: string): readonly AuthorizedEntryRecord[];
  /** The entry if the agent may use it now. Costs the depth of its parents, so it fits the issuing path. */
  find(agentId: string, entryId: string): AuthorizedEntryRecord | undefined;
  /** Whether entries under this parent are the agent's: it is the agent, an alias of it, or the ID of an entry of the agent. */
  reaches(agentId: string, parentId: string): boolean;
  /** SHA-256 over the agent's selectors, aliases and parents: when it is the same, differences between sets can be trusted. */
  digest(agentId: string): Uint8Array;
  /** Names of the foreign trust domains whose bundles the agent's workloads need. */
  federatedTrustDomains(agentId: string): ReadonlySet<string>;
  /**
   * Calls `listener` for each commit that changes what the agent may see, synchronously, in order, once the whole commit is
   * applied and before the writer hears of its success. Only watched agents cost work.
   */
  watch(agentId: string, listener: (delta: AuthorizationDelta) => void): Disposable;
}
