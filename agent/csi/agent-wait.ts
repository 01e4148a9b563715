import { unavailable } from "../../runtime/errors/status-error.ts";
import type { ReadFeed } from "../../runtime/feed.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { HolderStatus } from "../holder/holder.ts";

/** What pods wait for. */
export interface AgentWaitDeps {
  readonly status: ReadFeed<HolderStatus>;
  readonly waitFor: "agent" | "socket";
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Holds pods back until their node can give them identities. */
export class AgentWait {
  readonly #deps: AgentWaitDeps;
  #waiting = 0;

  constructor(deps: AgentWaitDeps) {
    this.#deps = deps;
  }

  /** How many pods wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Resolves when what is waited for is there.
   *
   * @throws {StatusError} UNAVAILABLE when it does not come in time
   * @throws the reason of `signal` when that aborts
   */
  async untilServed(signal: AbortSignal): Promise<void> {
    const { status, waitFor, timeoutMs, clock } = this.#deps;
    const over = new AbortController();
    const late = clock.sleep(timeoutMs, AbortSignal.any([signal, over.signal]));
    void late.then(() => over.abort());
    this.#waiting += 1;
    try {
      for await (const { bound, agentSeen } of status.subscribe(
        AbortSignal.any([signal, over.signal]),
      )) {
        if (bound && (agentSeen || waitFor === "socket")) return;
      }
    } finally {
      this.#waiting -= 1;
      over.abort();
    }
    signal.throwIfAborted();
    throw unavailable(
      status.value.bound
        ? "no agent has served workloads on this node yet"
        : "there is no workload socket on this node yet",
      { reason: "csi_no_agent" },
    );
  }
}
