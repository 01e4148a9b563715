import { create } from "@bufbuild/protobuf";
import {
  type AgentHello,
  type AgentMessage,
  AuditReceiptSchema,
  type AuditShipment,
  type Binding,
  type ServerHello,
  ServerHelloSchema,
  type ServerMessage,
  ServerMessageSchema,
  Acknowledgement_State as State,
  UnsupportedSchema,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { FEDERATION_LIMITS, HEARTBEAT_ANSWERS } from "../../proto/sync-capabilities.ts";
import {
  deadlineExceeded,
  failedPrecondition,
  invalidArgument,
  StatusError,
  unavailable,
} from "../../runtime/errors/status-error.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { untilAborted } from "../../runtime/until-aborted.ts";
import type { Authorization } from "../entries/authorization.ts";
import type { ServedBundles } from "../federation/served-bundles.ts";
import { AgentSession } from "./agent-session.ts";
import { computeEntries, computeUpdate, type UpdateSource } from "./compute-update.ts";
import type { ConnectedAgents } from "./connected-agents.ts";
import type { AckState } from "./progress.ts";
import type { RecentChanges } from "./recent-changes.ts";
import { decideStart } from "./start.ts";
import { updateMessages } from "./update-messages.ts";

/** What a synchronisation stream needs. */
export interface AgentStreamDeps {
  readonly source: UpdateSource & {
    readonly authorization: Authorization;
    readonly bundles: ServedBundles;
  };
  readonly recent: Pick<RecentChanges, "after">;
  readonly agents: ConnectedAgents;
  readonly hello: () => Omit<
    ServerHello,
    "$typeName" | "protocol" | "capabilities" | "incarnation"
  >;
  /** Which instance took which credential. */
  readonly bound: (agentId: string, bindings: readonly Binding[]) => void;
  /** Keeps records of an agent's own audit chain; answers up to which one they are durable. */
  readonly archive: (agentId: string, shipment: AuditShipment) => Promise<bigint>;
  readonly seen: (agentId: string, hello: AgentHello | undefined) => void;
  readonly clock: Clock;
}

/** The version of the protocol that this server speaks. */
const PROTOCOL = 1;
const HELLO_TIMEOUT_MS = 10_000;
const MAX_BINDINGS = 10_000;

/**
 * Serves one agent's stream of assay.sync.v1: hello, then whatever brings the agent to the newest revision, then every change that
 * concerns it, until the stream ends.
 */
export async function* serveAgent(
  deps: AgentStreamDeps,
  agentId: string,
  requests: AsyncIterable<AgentMessage>,
  call: { readonly signal: AbortSignal; readonly log: Logger },
): AsyncGenerator<ServerMessage> {
  const iterator = requests[Symbol.asyncIterator]();
  const hello = await readHello(iterator, deps.clock, call.signal);
  const keepsLimits = hello.capabilities.includes(FEDERATION_LIMITS);
  const answersHeartbeats = hello.capabilities.includes(HEARTBEAT_ANSWERS);
  const said = deps.hello();
  const session = new AgentSession({
    agentId,
    keepsLimits,
    answersHeartbeats,
    turn: deps.agents.nextTurn(),
    heartbeatSeconds: answersHeartbeats ? said.nextHeartbeatSeconds : said.heartbeatSeconds,
  });
  const endWithCall = (): void => session.end(asStatus(call.signal.reason));
  call.signal.addEventListener("abort", endWithCall);
  using stack = new DisposableStack();
  stack.defer(() => call.signal.removeEventListener("abort", endWithCall));
  stack.defer(() => session.end(unavailable("stream is over")));
  stack.use(watch(deps, session));
  deps.agents.add(session);
  stack.defer(() => deps.agents.remove(session));
  deps.seen(agentId, hello);
  begin(deps, session, hello);

  const stream = new AgentStream(deps, session, call.log);
  void stream.read(iterator);
  yield stream.hello(said);
  for (;;) {
    await session.whenReady();
    const queued = session.takeQueued();
    // Updates first: a sign of life says that everything up to its revision has been sent.
    yield* stream.takeUpdates();
    yield* queued;
  }
}

async function readHello(
  iterator: AsyncIterator<AgentMessage>,
  clock: Clock,
  signal: AbortSignal,
): Promise<AgentHello> {
  const answered = new AbortController();
  const late = clock.sleep(HELLO_TIMEOUT_MS, AbortSignal.any([signal, answered.signal]));
  const first = await Promise.race([iterator.next(), late]);
  answered.abort();
  if (first === undefined) throw deadlineExceeded("agent did not say hello");
  if (first.done === true || first.value.message.case !== "hello") {
    throw invalidArgument("the first message must be a hello");
  }
  const hello = first.value.message.value;
  if (hello.protocolMin > PROTOCOL || hello.protocolMax < PROTOCOL) {
    throw failedPrecondition(
      `the agent speaks versions ${hello.protocolMin} to ${hello.protocolMax} of the sync protocol, the server version ${PROTOCOL}`,
      { reason: "protocol_version" },
    );
  }
  return hello;
}

// From here on nothing is missed: what the agent is sent at first is computed after this.
function watch({ source }: AgentStreamDeps, session: AgentSession): Disposable {
  const stack = new DisposableStack();
  stack.use(
    source.authorization.watch(session.agentId, ({ revision, upserted, removed }) => {
      session.entriesChanged(revision, [...upserted.map(({ id }) => id), ...removed]);
    }),
  );
  stack.use(
    source.bundles.onChange((trustDomain) => {
      const isOwn = trustDomain === source.trustDomain;
      if (!isOwn && !source.authorization.federatedTrustDomains(session.agentId).has(trustDomain)) {
        return;
      }
      session.bundleChanged(source.authorization.revision, trustDomain);
    }),
  );
  return stack;
}

function begin(deps: AgentStreamDeps, session: AgentSession, hello: AgentHello): void {
  const { source, recent } = deps;
  const { authorization } = source;
  const changes = hello.cursor === undefined ? undefined : recent.after(hello.cursor.revision);
  const start = decideStart(hello, {
    incarnation: source.incarnation,
    revision: authorization.revision,
    authorizationDigest: authorization.digest(session.agentId),
    hasChangesAfter: () => changes !== undefined,
  });
  const names = authorization.federatedTrustDomains(session.agentId);
  // Which of limited bundles an agent has that keeps to no limits is not to be told from the names.
  const hasAllBundles =
    session.keepsLimits || [...names].every((name) => source.bundles.limitsOf(name).isAny);
  if (start !== "difference" || changes === undefined || !hasAllBundles) {
    session.pending.addWhole(start === "snapshot" ? "snapshot" : "inventory");
    return;
  }
  for (const name of names) session.sentBundles.add(name);
  session.sentBundles.add(source.trustDomain);
  const concerning = [...changes.entries].filter(
    ([id, before]) =>
      authorization.find(session.agentId, id) !== undefined ||
      (before !== undefined && authorization.reaches(session.agentId, before.parentId)),
  );
  session.pending.addEntries(concerning.map(([id]) => id));
  for (const name of changes.bundles) {
    if (session.sentBundles.has(name)) session.pending.addBundle(name);
  }
  // Even if nothing changed: the agent learns that it is up to date, and where it stands now.
  session.pending.addPlace();
}

/** The two directions of one stream. */
class AgentStream {
  readonly #deps: AgentStreamDeps;
  readonly #session: AgentSession;
  readonly #log: Logger;

  constructor(deps: AgentStreamDeps, session: AgentSession, log: Logger) {
    this.#deps = deps;
    this.#session = session;
    this.#log = log;
  }

  hello(said: ReturnType<AgentStreamDeps["hello"]>): ServerMessage {
    const value = create(ServerHelloSchema, {
      ...said,
      protocol: PROTOCOL,
      incarnation: this.#deps.source.incarnation,
    });
    return create(ServerMessageSchema, { message: { case: "hello", value } });
  }

  /** Computes what is due at the moment it is asked for. */
  *takeUpdates(): Generator<ServerMessage> {
    const { source } = this.#deps;
    const { agentId, pending, progress } = this.#session;
    if (!pending.isEmpty) {
      const update = computeUpdate(source, this.#session, pending.take());
      // Before the first message goes out: what is committed from now on is of the next update.
      progress.sent(update.cursor.revision);
      yield* updateMessages(update);
    }
    const requested = this.#session.takeRequestedIds();
    if (requested.length > 0) yield* updateMessages(computeEntries(source, agentId, requested));
  }

  /** Takes what the agent says until the stream ends, and ends it when the agent does. */
  async read(messages: AsyncIterator<AgentMessage>): Promise<void> {
    const session = this.#session;
    try {
      for (;;) {
        const next = await untilAborted(messages.next(), session.signal);
        if (next.done === true) throw unavailable("agent ended the stream");
        session.heard();
        await this.#take(next.value);
      }
    } catch (err) {
      if (!session.signal.aborted && !(err instanceof StatusError)) {
        this.#log.error({ err }, "Reading an agent's stream failed");
      }
      session.end(err instanceof StatusError ? err : unavailable("stream is over"));
    }
  }

  // Waited for, so that an agent can send no faster than what it sends is dealt with.
  async #take({ message }: AgentMessage): Promise<void> {
    const { agents, bound, seen, source } = this.#deps;
    const session = this.#session;
    switch (message.case) {
      case "acknowledgement": {
        const { state, cursor } = message.value;
        const name = ACK_STATES[state];
        if (name === undefined || cursor === undefined) {
          throw invalidArgument("acknowledgement: state and cursor are required");
        }
        if (cursor.incarnation !== source.incarnation) return;
        session.progress.acknowledged(name, cursor.revision);
        agents.touch();
        return;
      }
      case "heartbeat":
        session.lastHeartbeat = message.value;
        seen(session.agentId, undefined);
        return;
      case "bindings":
        if (message.value.bindings.length > MAX_BINDINGS) {
          throw invalidArgument(`bindings: at most ${MAX_BINDINGS} are allowed in one report`);
        }
        bound(session.agentId, message.value.bindings);
        return;
      case "audit":
        await this.#archive(message.value);
        return;
      case "answer":
        session.answered(message.value);
        return;
      case "entryRequest":
        session.request(message.value.ids);
        return;
      case "unsupported":
        this.#log.info({ kind: message.value.kind }, "Agent does not know a message kind");
        return;
      default: {
        const value = create(UnsupportedSchema, { kind: message.case ?? "unknown" });
        session.send({ case: "unsupported", value });
      }
    }
  }

  async #archive(shipment: AuditShipment): Promise<void> {
    const session = this.#session;
    try {
      const throughSeq = await this.#deps.archive(session.agentId, shipment);
      const value = create(AuditReceiptSchema, { throughSeq });
      session.send({ case: "auditReceipt", value });
    } catch (err) {
      // No receipt: the agent keeps the records and sends them again.
      this.#log.warn({ err }, "Could not keep an agent's audit records");
    }
  }
}

const ACK_STATES: Partial<Record<State, AckState>> = {
  [State.RECEIVED]: "received",
  [State.APPLIED]: "applied",
  [State.DELIVERED]: "delivered",
};

function asStatus(reason: unknown): StatusError {
  return reason instanceof StatusError ? reason : unavailable("stream is over");
}
