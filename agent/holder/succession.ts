import type { HolderMessage } from "./messages.ts";

/** An agent that has the socket. */
export interface SuccessionMember {
  /** When its process started, in milliseconds of the machine's monotonic clock. */
  readonly sinceMs: number;
  /** Tells it to accept connections, or to leave them to another. */
  readonly order: (order: Extract<HolderMessage, { type: "release" | "accept" }>) => void;
}

/**
 * Which of several agents accepts connections: the newest that can. All take from one queue, so while two do nothing is lost;
 * the older one is told to stop once the newer accepts, and told to go on when the newer one is gone.
 */
export class Succession {
  readonly #accepting = new Map<SuccessionMember, boolean>();

  /** How many agents accept or could. */
  get size(): number {
    return this.#accepting.size;
  }

  /** The agent accepts connections. */
  join(member: SuccessionMember): void {
    this.#accepting.set(member, true);
    this.#settle();
  }

  /** The agent is gone. */
  leave(member: SuccessionMember): void {
    if (this.#accepting.delete(member)) this.#settle();
  }

  #settle(): void {
    const members = [...this.#accepting.keys()];
    // Of two that started together the one that came last is chosen.
    const newest = members.reduce<SuccessionMember | undefined>(
      (best, next) => (best === undefined || next.sinceMs >= best.sinceMs ? next : best),
      undefined,
    );
    for (const [member, isAccepting] of this.#accepting) {
      const shouldAccept = member === newest;
      if (shouldAccept === isAccepting) continue;
      this.#accepting.set(member, shouldAccept);
      member.order({ type: shouldAccept ? "accept" : "release" });
    }
  }
}
