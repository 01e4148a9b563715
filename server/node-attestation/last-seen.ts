import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Store } from "../store/store.ts";

const FLUSH_MS = 30_000;

/** What the recorder needs. */
export interface LastSeenDeps {
  readonly store: Pick<Store, "write">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** When each agent was last heard of, written down in batches outside of the revision log. */
export class LastSeen {
  readonly #deps: LastSeenDeps;
  #seen = new Map<string, number>();

  constructor(deps: LastSeenDeps) {
    this.#deps = deps;
  }

  /** An agent has made a call or given a sign of life. */
  note(agentId: string): void {
    this.#seen.set(agentId, Math.floor(this.#deps.clock.now().getTime() / 1000));
  }

  /** Writes every half minute, and once more when `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(FLUSH_MS, signal);
      await this.#flush();
    }
  }

  async #flush(): Promise<void> {
    const seen = Array.from(this.#seen, ([id, at]) => ({ id, at }));
    this.#seen = new Map();
    if (seen.length === 0) return;
    try {
      await this.#deps.store.write("recordNodesSeen", { seen });
    } catch (err) {
      this.#deps.log.warn({ reason: describeError(err) }, "Could not record when agents were seen");
    }
  }
}
