import type { Logger } from "../../runtime/log.ts";
import type { Commit } from "../store/commit.ts";
import type { RecordsSince } from "../store/contract/maintenance.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { Authorization, AuthorizationDelta } from "./authorization.ts";
import {
  type AgentChanges,
  AuthorizationChanges,
  type AuthorizationStep,
  authorizationSteps,
  difference,
} from "./authorization-changes.ts";
import type { AuthorizationState } from "./authorization-state.ts";
import { type LoadedState, loadAuthorization } from "./load-authorization.ts";

export interface AuthorizedEntriesDeps {
  readonly store: Store;
  /** The parent ID of node aliases: "spiffe://<trust domain>/spire/server". */
  readonly serverId: string;
  readonly log: Logger;
}

type DeltaListener = (delta: AuthorizationDelta) => void;

/**
 * The index over entries and nodes that answers on the paths that must be quick, and tells those who push what a change means
 * for each agent. It is fed by the store's commits only, takes every revision exactly once and in order, and never serves a
 * view that is older than one it has served: where revisions are missing it keeps what it has, reads what it missed, and goes on.
 */
export class AuthorizedEntries implements Authorization, Disposable {
  readonly #deps: AuthorizedEntriesDeps;
  readonly #subscription: Disposable;
  readonly #listeners = new Map<string, Set<DeltaListener>>();
  /** Commits that wait while the index is read anew; undefined while it follows the store. */
  #waiting: Commit[] | undefined = [];
  #state: AuthorizationState;
  #revision: bigint;

  private constructor(deps: AuthorizedEntriesDeps, { state, revision }: LoadedState) {
    this.#deps = deps;
    this.#state = state;
    this.#revision = revision;
    this.#subscription = deps.store.onCommit((commit) => this.#receive(commit));
    this.#follow();
  }

  /** Reads everything, then follows the store. */
  static async load(deps: AuthorizedEntriesDeps): Promise<AuthorizedEntries> {
    return new AuthorizedEntries(deps, await loadAuthorization(deps.store, deps.serverId));
  }

  get revision(): bigint {
    return this.#revision;
  }

  /** False while the index lags behind the store because revisions were missing. */
  get isCurrent(): boolean {
    return this.#waiting === undefined && this.#revision === this.#deps.store.revision;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#state.graph.size;
  }

  forAgent(agentId: string): readonly AuthorizedEntryRecord[] {
    const entries: AuthorizedEntryRecord[] = [];
    for (const entry of this.#state.entriesOf(agentId)) entries.push(entry.toRecord());
    return entries;
  }

  find(agentId: string, entryId: string): AuthorizedEntryRecord | undefined {
    return this.#state.find(agentId, entryId)?.toRecord();
  }

  reaches(agentId: string, parentId: string): boolean {
    return this.#state.reaches(agentId, parentId);
  }

  digest(agentId: string): Uint8Array {
    return this.#state.digest(agentId);
  }

  federatedTrustDomains(agentId: string): ReadonlySet<string> {
    const names = new Set<string>();
    for (const { terms } of this.#state.entriesOf(agentId)) {
      for (const name of terms.federatesWith) names.add(name);
    }
    return names;
  }

  watch(agentId: string, listener: DeltaListener): Disposable {
    const listeners = this.#listeners.get(agentId) ?? new Set();
    this.#listeners.set(agentId, listeners.add(listener));
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener);
        if (listeners.size === 0 && this.#listeners.get(agentId) === listeners) {
          this.#listeners.delete(agentId);
        }
      },
    };
  }

  /** Stops following the store. */
  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  #receive(commit: Commit): void {
    if (this.#waiting !== undefined) {
      this.#waiting.push(commit);
    } else if (commit.revision === this.#revision + 1n) {
      this.#apply(authorizationSteps(commit.changes), commit.revision);
    } else if (commit.revision > this.#revision) {
      this.#waiting = [commit];
      void this.#catchUp();
    }
  }

  /** Takes up the commits that waited. */
  #follow(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const commit of waiting) this.#receive(commit);
  }

  async #catchUp(): Promise<void> {
    const { store, serverId, log } = this.#deps;
    log.warn({ revision: this.#revision, store_revision: store.revision }, "Revisions are missing");
    try {
      const missed = await store.read("recordsSince", { revision: this.#revision });
      if (missed === undefined) this.#replace(await loadAuthorization(store, serverId));
      else this.#apply(recordSteps(missed), missed.head);
    } catch (err) {
      log.error({ err }, "Reading missing revisions failed; serving the last whole view");
      this.#waiting = undefined;
      return;
    }
    this.#follow();
  }

  #apply(steps: readonly AuthorizationStep[], revision: bigint): void {
    const changes = new AuthorizationChanges(this.#state, (id) => this.#listeners.has(id));
    for (const step of steps) changes.apply(step);
    this.#revision = revision;
    for (const [agentId, change] of changes.result()) this.#tell(agentId, change);
  }

  #replace({ state, revision }: LoadedState): void {
    const before = this.#state;
    this.#state = state;
    this.#revision = revision;
    for (const agentId of this.#listeners.keys()) {
      this.#tell(agentId, difference(agentId, before, state));
    }
  }

  #tell(agentId: string, changes: AgentChanges): void {
    const delta = { agentId, revision: this.#revision, ...changes };
    for (const listener of this.#listeners.get(agentId) ?? []) listener(delta);
  }
}

function recordSteps({ nodes, entries }: RecordsSince): AuthorizationStep[] {
  return [
    ...nodes.map(({ id, record }): AuthorizationStep => ({ kind: "agent", id, after: record })),
    ...entries.map(({ id, record }): AuthorizationStep => ({ kind: "entry", id, after: record })),
  ];
}
