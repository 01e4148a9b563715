import type { Clock } from "../../runtime/time/clock.ts";
import type { Store } from "../store/store.ts";

const MAX_KEPT = 4_096;

/** When the newest revisions were committed, by the monotonic clock: so that it can be said how long a change took to arrive. */
export class CommitTimes implements Disposable {
  readonly #times = new Map<bigint, number>();
  readonly #commits: Disposable;

  constructor(deps: { readonly store: Pick<Store, "onCommit">; readonly clock: Clock }) {
    this.#commits = deps.store.onCommit(({ revision }) => {
      this.#times.set(revision, deps.clock.monotonicMs());
      const [oldest] = this.#times.keys();
      if (this.#times.size > MAX_KEPT && oldest !== undefined) this.#times.delete(oldest);
    });
  }

  /** Undefined for revisions that are not among the newest of this process. */
  of(revision: bigint): number | undefined {
    return this.#times.get(revision);
  }

  [Symbol.dispose](): void {
    this.#commits[Symbol.dispose]();
  }
}
