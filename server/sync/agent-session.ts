import { create } from "@bufbuild/protobuf";
import {
  type AgentHeartbeat,
  type Answer,
  type Query,
  QuerySchema,
  type ServerMessage,
  ServerMessageSchema,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { resourceExhausted, type StatusError } from "../../runtime/errors/status-error.ts";
import { untilAborted } from "../../runtime/until-aborted.ts";
import { Pending } from "./pending.ts";
import { Progress } from "./progress.ts";

/** Beyond this many answers that an agent does not read, its stream is ended. */
const MAX_QUEUED = 1_000;
/** Far beyond the entries that one agent may hold. */
const MAX_REQUESTED = 500_000;

/** One agent's stream: what is to be sent on it, and what the agent has said. */
export class AgentSession {
  readonly agentId: string;
  /** The agent keeps to the limits of a federation, so that it may have the bundles of limited ones. */
  readonly keepsLimits: boolean;
  /** The agent answers each heartbeat, so that both may be rare. */
  readonly answersHeartbeats: boolean;
  /** Spreads heartbeats over time. */
  readonly turn: number;
  readonly pending: Pending = new Pending();
  readonly progress: Progress = new Progress();
  /** Trust domains whose bundles the agent was sent. */
  readonly sentBundles: Set<string> = new Set();
  /** What the agent said last about itself. */
  lastHeartbeat: AgentHeartbeat | undefined;
  /** The agent has been told that the next heartbeat comes within this time. */
  heartbeatSeconds: number;
  /** When that is, in seconds of the monotonic clock; undefined until it has been found out. */
  heartbeatDue: number | undefined;

  readonly #ended = new AbortController();
  readonly #queries = new Map<string, (answer: Answer) => void>();
  #queued: ServerMessage[] = [];
  #requestedIds: string[] = [];
  #heartbeat: ServerMessage | undefined;
  #unansweredSinceMs: number | undefined;
  #wake: (() => void) | undefined;
  #queryCount = 0;

  constructor(o: {
    readonly agentId: string;
    readonly keepsLimits?: boolean;
    readonly answersHeartbeats?: boolean;
    readonly turn: number;
    readonly heartbeatSeconds: number;
  }) {
    this.agentId = o.agentId;
    this.keepsLimits = o.keepsLimits ?? false;
    this.answersHeartbeats = o.answersHeartbeats ?? false;
    this.turn = o.turn;
    this.heartbeatSeconds = o.heartbeatSeconds;
    // Until the first acknowledgement nobody knows what the agent serves.
    this.progress.changed(0n);
  }

  /** Aborts when the stream is over, with a StatusError as reason. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Ends the stream. */
  end(reason: StatusError): void {
    this.#ended.abort(reason);
  }

  /** A commit changed entries of the agent, or where its entries come from: then it may name none. */
  entriesChanged(revision: bigint, ids: readonly string[]): void {
    // The agent has to say that it is there, or everybody who waits for that revision waits for ever.
    if (ids.length === 0) this.pending.addPlace();
    this.pending.addEntries(ids);
    this.progress.changed(revision);
    this.#wake?.();
  }

  /** A commit changed a bundle that the agent has. */
  bundleChanged(revision: bigint, trustDomain: string): void {
    this.pending.addBundle(trustDomain);
    this.progress.changed(revision);
    this.#wake?.();
  }

  /** Queues a message of its own. */
  send(message: ServerMessage["message"]): void {
    if (this.#queued.length >= MAX_QUEUED) {
      this.end(resourceExhausted("agent does not read its stream"));
      return;
    }
    this.#queued.push(create(ServerMessageSchema, { message }));
    this.#wake?.();
  }

  /**
   * Queues a sign of life; an older one that was not sent yet is forgotten. From `nowMs` of the monotonic clock on the agent owes
   * one of its own.
   */
  sendHeartbeat(message: ServerMessage, nowMs: number): void {
    this.#heartbeat = message;
    this.#unansweredSinceMs ??= nowMs;
    this.#wake?.();
  }

  /** The agent has said something, whatever it was. */
  heard(): void {
    this.#unansweredSinceMs = undefined;
  }

  /** Since when the agent owes a sign of life, by the monotonic clock; undefined when it owes none. */
  get unansweredSinceMs(): number | undefined {
    return this.#unansweredSinceMs;
  }

  /**
   * Asks the agent something.
   *
   * @throws the signal's reason, or why the stream ended, when no answer comes before
   */
  async ask(question: Query["question"], signal: AbortSignal): Promise<Answer> {
    this.#queryCount += 1;
    const id = String(this.#queryCount);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#queries.set(id, resolve);
    try {
      this.send({ case: "query", value: create(QuerySchema, { id, question }) });
      return await untilAborted(promise, AbortSignal.any([signal, this.signal]));
    } finally {
      this.#queries.delete(id);
    }
  }

  /** The agent has answered. An answer that nobody waits for any more is passed over. */
  answered(answer: Answer): void {
    this.#queries.get(answer.queryId)?.(answer);
  }

  /** Resolves when there is something to send; rejects when the stream is over. */
  async whenReady(): Promise<void> {
    while (!this.#isReady) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await untilAborted(promise, this.signal);
    }
    this.signal.throwIfAborted();
  }

  /** The agent asks for entries that it lacks. */
  request(ids: readonly string[]): void {
    if (this.#requestedIds.length + ids.length > MAX_REQUESTED) {
      throw resourceExhausted(`agent asks for more than ${MAX_REQUESTED} entries at once`);
    }
    this.#requestedIds = this.#requestedIds.concat(ids);
    this.#wake?.();
  }

  takeRequestedIds(): readonly string[] {
    const taken = this.#requestedIds;
    this.#requestedIds = [];
    return taken;
  }

  /** Takes what was queued, in order, and the newest sign of life. */
  takeQueued(): readonly ServerMessage[] {
    const taken = this.#queued;
    this.#queued = [];
    if (this.#heartbeat !== undefined) taken.push(this.#heartbeat);
    this.#heartbeat = undefined;
    return taken;
  }

  get #isReady(): boolean {
    return (
      this.#queued.length > 0 ||
      this.#heartbeat !== undefined ||
      this.#requestedIds.length > 0 ||
      !this.pending.isEmpty
    );
  }
}
