import type { Selector } from "../../proto/selector.ts";
import type { Change } from "../store/commit.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";
import type { AttestedAgent } from "./attested-agents.ts";
import type { AuthorizationState } from "./authorization-state.ts";
import type { IndexedEntry } from "./indexed-entry.ts";

/** What changed for one agent; see AuthorizationDelta. */
export interface AgentChanges {
  readonly upserted: readonly AuthorizedEntryRecord[];
  readonly removed: readonly string[];
  readonly reachChanged: boolean;
}

/** One step of a commit, as far as authorisation is concerned. Absent values mean that there is none any more. */
export type AuthorizationStep =
  | {
      readonly kind: "entry";
      readonly id: string;
      readonly after?: AuthorizedEntryRecord | undefined;
    }
  | { readonly kind: "agent"; readonly id: string; readonly after?: AttestedAgent | undefined };

/** The steps of a commit; changes of other records are none. */
export function authorizationSteps(changes: readonly Change[]): AuthorizationStep[] {
  return changes.flatMap((change): AuthorizationStep[] => {
    if (change.kind === "entry") return [{ kind: "entry", id: change.id, after: change.after }];
    if (change.kind === "node") return [{ kind: "agent", id: change.id, after: change.after }];
    return [];
  });
}

/** What one agent may see in one state and not in the other. */
export function difference(
  agentId: string,
  before: AuthorizationState,
  after: AuthorizationState,
): AgentChanges {
  const gone = new Map([...before.entriesOf(agentId)].map((entry) => [entry.id, entry]));
  const upserted: AuthorizedEntryRecord[] = [];
  for (const entry of after.entriesOf(agentId)) {
    const seen = gone.get(entry.id);
    gone.delete(entry.id);
    const same =
      seen?.revisionNumber === entry.revisionNumber && seen.createdAt === entry.createdAt;
    if (!same) upserted.push(entry.toRecord());
  }
  return { upserted, removed: [...gone.keys()], reachChanged: true };
}

/** What an agent could see of the entries that a commit concerns, before it. */
interface Touched {
  /** Undefined for an entry that the agent could not see. */
  readonly before: Map<string, IndexedEntry | undefined>;
  reachChanged: boolean;
}

/**
 * Applies the steps of one commit to a state and works out what they change for watched agents. The work follows the change: it
 * starts at the entry's parents before and after and walks up to the agents. Only a step that moves the parent of other entries,
 * or changes what a node is, looks at more, and then at what lies below it.
 *
 * For each agent and entry concerned it notes what the agent could see before the first step that could matter; the answer is
 * the difference between that and what it can see after the last.
 */
export class AuthorizationChanges {
  readonly #state: AuthorizationState;
  readonly #isWatched: (agentId: string) => boolean;
  readonly #touched = new Map<string, Touched>();

  constructor(state: AuthorizationState, isWatched: (agentId: string) => boolean) {
    this.#state = state;
    this.#isWatched = isWatched;
  }

  apply(step: AuthorizationStep): void {
    if (step.kind === "entry") this.#applyEntry(step.id, step.after);
    else this.#applyAgent(step.id, step.after);
  }

  /** What all applied steps together changed, for each agent that is concerned. */
  *result(): Generator<readonly [string, AgentChanges]> {
    for (const [agentId, { before, reachChanged }] of this.#touched) {
      const upserted: AuthorizedEntryRecord[] = [];
      const removed: string[] = [];
      for (const [entryId, seen] of before) {
        const now = this.#state.find(agentId, entryId);
        if (now === seen) continue;
        if (now === undefined) removed.push(entryId);
        else upserted.push(now.toRecord());
      }
      if (upserted.length > 0 || removed.length > 0 || reachChanged) {
        yield [agentId, { upserted, removed, reachChanged }];
      }
    }
  }

  #applyEntry(id: string, after: AuthorizedEntryRecord | undefined): void {
    const { graph } = this.#state;
    const before = graph.get(id);
    const agents = new Set<string>();
    for (const form of [before, after]) {
      if (form !== undefined) for (const agent of this.#agentsConcerned(form)) agents.add(agent);
    }
    if (agents.size === 0) {
      this.#put(id, after);
      return;
    }
    for (const agentId of agents) this.#touch(agentId, id);
    const moved = this.#parentsMoved(before, after);
    const reached = [...agents].map((agentId) => ({
      agentId,
      parents: [...moved].filter((parentId) => this.#state.reaches(agentId, parentId)),
    }));
    const parentIds = new Set([before?.parentId, after?.parentId]);
    const wasParent = [...parentIds].map((parentId) => parentId && graph.isParent(parentId));

    this.#put(id, after);

    const isParent = [...parentIds].map((parentId) => parentId && graph.isParent(parentId));
    const parentsChanged = wasParent.some((was, index) => was !== isParent[index]);
    const rootsChanged = [before, after].some((form) => form && this.#state.isAlias(form));
    for (const { agentId, parents } of reached) {
      const now = [...moved].filter((parentId) => this.#state.reaches(agentId, parentId));
      this.#touchBelow(agentId, new Set(parents), new Set(now), id);
      if (parentsChanged || rootsChanged || moved.size > 0) this.#note(agentId).reachChanged = true;
    }
  }

  #put(id: string, after: AuthorizedEntryRecord | undefined): void {
    if (after === undefined) this.#state.removeEntry(id);
    else this.#state.putEntry(after);
  }

  /** Watched agents for which the entry, in this form, may matter: as theirs, or as their alias. */
  *#agentsConcerned(form: Pick<IndexedEntry, "parentId" | "selectors">): Generator<string> {
    const reaching = this.#state.isAlias(form)
      ? this.#state.agents.withAll(form.selectors)
      : this.#state.agentsReaching(form.parentId);
    for (const agentId of reaching) if (this.#isWatched(agentId)) yield agentId;
  }

  /** The parents of other entries that may be reached by other agents after the step; none for most steps. */
  #parentsMoved(
    before: IndexedEntry | undefined,
    after: AuthorizedEntryRecord | undefined,
  ): ReadonlySet<string> {
    if (before !== undefined && after !== undefined && this.#isSamePlace(before, after))
      return NONE;
    const roots = new Set<string>();
    if (before !== undefined) roots.add(before.spiffeId);
    if (after !== undefined) roots.add(after.spiffeId);
    return this.#state.graph.parentsBelow(roots);
  }

  #isSamePlace(before: IndexedEntry, after: AuthorizedEntryRecord): boolean {
    return (
      before.parentId === after.parentId &&
      before.spiffeId === after.spiffeId &&
      (!this.#state.isAlias(before) || haveEqualKeys(before.selectors, after.selectors))
    );
  }

  /** Notes the children of parents that the agent reached before or reaches now, but not both. */
  #touchBelow(
    agentId: string,
    before: ReadonlySet<string>,
    now: ReadonlySet<string>,
    except: string,
  ): void {
    for (const parentId of before.symmetricDifference(now)) {
      for (const child of this.#state.graph.children(parentId)) {
        if (child.id === except) continue;
        this.#noteBefore(agentId, child.id, before.has(parentId) ? child : undefined);
      }
    }
  }

  #applyAgent(agentId: string, after: AttestedAgent | undefined): void {
    const watched = this.#isWatched(agentId);
    const before = watched ? [...this.#state.entriesOf(agentId)] : [];
    if (after === undefined) this.#state.agents.remove(agentId);
    else this.#state.putAgent(after);
    if (!watched) return;
    for (const entry of before) this.#noteBefore(agentId, entry.id, entry);
    for (const entry of this.#state.entriesOf(agentId)) {
      // What is in `before` is noted already, so this notes only what the agent could not see.
      this.#noteBefore(agentId, entry.id, undefined);
    }
    this.#note(agentId).reachChanged = true;
  }

  #touch(agentId: string, entryId: string): void {
    this.#noteBefore(agentId, entryId, this.#state.find(agentId, entryId));
  }

  #noteBefore(agentId: string, entryId: string, entry: IndexedEntry | undefined): void {
    const { before } = this.#note(agentId);
    if (!before.has(entryId)) before.set(entryId, entry);
  }

  #note(agentId: string): Touched {
    const known = this.#touched.get(agentId);
    if (known !== undefined) return known;
    const touched: Touched = { before: new Map(), reachChanged: false };
    this.#touched.set(agentId, touched);
    return touched;
  }
}

const NONE: ReadonlySet<string> = new Set();

/** Both are sorted. */
function haveEqualKeys(a: readonly Selector[], b: readonly Selector[]): boolean {
  return a.length === b.length && a.every((selector, i) => isSame(selector, b[i]));
}

function isSame(a: Selector, b: Selector | undefined): boolean {
  return b !== undefined && a.type === b.type && a.value === b.value;
}
