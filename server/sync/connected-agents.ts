import type { AuditHead } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { aborted } from "../../runtime/errors/status-error.ts";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { AgentSession } from "./agent-session.ts";

/** An audit head that an agent has witnessed. */
export interface WitnessedHead {
  readonly agentId: string;
  readonly head: AuditHead;
}

/** How far a revision has come among the connected agents. */
export interface RolloutCount {
  readonly reached: number;
  /** Agent IDs, in no particular order. */
  readonly late: readonly string[];
}

/** The agents that have a stream open on this server. */
export class ConnectedAgents {
  readonly #sessions = new Map<string, AgentSession>();
  readonly #changes = new Feed(0);
  #turns = 0;

  /** Changes whenever an agent comes, goes, or acknowledges something. */
  get changes(): ReadFeed<number> {
    return this.#changes;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Adds a stream. One that the agent had before is ended: an agent has one stream, and the newest is the one that lives. */
  add(session: AgentSession): void {
    const before = this.#sessions.get(session.agentId);
    this.#sessions.set(session.agentId, session);
    before?.end(aborted("replaced by a newer stream of the same agent"));
    this.touch();
  }

  /** Removes a stream that has ended; does nothing if another has taken its place. */
  remove(session: AgentSession): void {
    if (this.#sessions.get(session.agentId) !== session) return;
    this.#sessions.delete(session.agentId);
    this.touch();
  }

  /** A number for the next stream, so that heartbeats are spread over time. */
  nextTurn(): number {
    this.#turns += 1;
    return this.#turns;
  }

  get(agentId: string): AgentSession | undefined {
    return this.#sessions.get(agentId);
  }

  all(): Iterable<AgentSession> {
    return this.#sessions.values();
  }

  /** Wakes those who watch. */
  touch(): void {
    this.#changes.set(this.#changes.value + 1);
  }

  /** Counts how far a revision has come. An agent that it does not concern counts as reached. */
  rollout(revision: bigint, state: "applied" | "delivered"): RolloutCount {
    const late: string[] = [];
    for (const session of this.#sessions.values()) {
      if (session.progress.isBehind(revision, state)) late.push(session.agentId);
    }
    return { reached: this.#sessions.size - late.length, late };
  }

  /** What the connected agents have witnessed of the server's audit. */
  witnesses(): readonly WitnessedHead[] {
    return [...this.#sessions.values()].flatMap(({ agentId, lastHeartbeat }) =>
      lastHeartbeat?.witnessed === undefined ? [] : [{ agentId, head: lastHeartbeat.witnessed }],
    );
  }
}
