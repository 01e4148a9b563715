import type { Commit, LoggedChange } from "../store/commit.ts";
import type { Store } from "../store/store.ts";

/** What changed after a revision, by name. */
export interface ChangesAfter {
  /** By entry ID; the keys that the entry had before its first change, absent if it was new. */
  readonly entries: ReadonlyMap<string, LoggedChange["before"]>;
  /** Trust domains. */
  readonly bundles: ReadonlySet<string>;
}

type Named = Pick<LoggedChange, "revision" | "kind" | "id" | "before">;

/** Beyond this many changes, comparing the whole set is cheaper for an agent than going through what changed. */
const MAX_CHANGES = 2_048;

/**
 * The newest part of the change log, in memory: ten thousand agents that come back after a restart resume from it without a query
 * each. Agents that were away for longer compare their whole set instead, which costs what their set costs.
 */
export class RecentChanges implements Disposable {
  readonly #changes: Named[] = [];
  /** Changes at or before this revision are not kept. */
  #floor: bigint;
  readonly #commits: Disposable;

  /** Reads the end of the log, and follows it from then on. */
  static async open(store: Pick<Store, "read" | "onCommit" | "revision">): Promise<RecentChanges> {
    const early: Commit[] = [];
    const waiting = store.onCommit((commit) => early.push(commit));
    const { revision } = store;
    const asked = revision > BigInt(MAX_CHANGES) ? revision - BigInt(MAX_CHANGES) : 0n;
    const limit = MAX_CHANGES;
    const extract = await store.read("changesSince", { revision: asked, limit });
    const isWhole = extract.through === extract.head && extract.floor <= asked;
    const recent = new RecentChanges(
      store,
      isWhole ? asked : extract.head,
      isWhole ? extract.changes : [],
    );
    waiting[Symbol.dispose]();
    for (const commit of early) if (commit.revision > extract.head) recent.#add(commit);
    return recent;
  }

  private constructor(
    store: Pick<Store, "onCommit">,
    floor: bigint,
    changes: readonly LoggedChange[],
  ) {
    this.#floor = floor;
    this.#changes.push(...changes);
    this.#commits = store.onCommit((commit) => this.#add(commit));
  }

  /** What changed after `revision`; undefined when that is too long ago to say. */
  after(revision: bigint): ChangesAfter | undefined {
    if (revision < this.#floor) return undefined;
    const entries = new Map<string, LoggedChange["before"]>();
    const bundles = new Set<string>();
    for (let i = this.#changes.length - 1; i >= 0; i--) {
      const change = this.#changes[i];
      if (change === undefined || change.revision <= revision) break;
      // Walking back, so that the oldest change of an entry is the one that stays.
      if (change.kind === "entry") entries.set(change.id, change.before);
      else if (isOfBundle(change)) bundles.add(change.id);
    }
    return { entries, bundles };
  }

  [Symbol.dispose](): void {
    this.#commits[Symbol.dispose]();
  }

  #add({ revision, changes }: Commit): void {
    for (const change of changes) {
      if (change.kind === "entry") {
        const { id, before } = change;
        if (before === undefined) this.#changes.push({ revision, kind: "entry", id });
        else {
          const { spiffeId, parentId } = before;
          this.#changes.push({ revision, kind: "entry", id, before: { spiffeId, parentId } });
        }
      } else if (isOfBundle(change)) {
        this.#changes.push({ revision, kind: change.kind, id: change.id });
      }
    }
    // Twice the limit before anything is moved, so that it costs little per change.
    if (this.#changes.length > 2 * MAX_CHANGES) this.#trim();
  }

  // Whole revisions only.
  #trim(): void {
    const floor = this.#changes[this.#changes.length - MAX_CHANGES - 1]?.revision;
    if (floor === undefined) return;
    this.#floor = floor;
    const kept = this.#changes.findIndex(({ revision }) => revision > floor);
    this.#changes.splice(0, kept === -1 ? this.#changes.length : kept);
  }
}

// How far a trust domain is trusted travels with its bundle.
function isOfBundle({ kind }: Pick<LoggedChange, "kind">): boolean {
  return kind === "bundle" || kind === "federation";
}
