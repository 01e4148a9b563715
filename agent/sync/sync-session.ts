import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type AgentHeartbeat,
  AgentHeartbeatSchema,
  type AgentMessageSchema,
  AgentSync,
  type Query,
  type Refusal,
  type ServerHello,
  type ServerMessage,
  type Update,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { FEDERATION_LIMITS, HEARTBEAT_ANSWERS } from "../../proto/sync-capabilities.ts";
import { describeError } from "../../runtime/errors/describe.ts";
import { failedPrecondition, unavailable } from "../../runtime/errors/status-error.ts";
import type { Feed } from "../../runtime/feed.ts";
import type { Logger } from "../../runtime/log.ts";
import { runTasks } from "../../runtime/process/tasks.ts";
import { slicesOf } from "../../runtime/slices.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { AgentAudit } from "../audit/agent-audit.ts";
import type { AuditWitness } from "../audit/audit-witness.ts";
import type { WorkloadCache } from "../cache/workload-cache.ts";
import type { Link } from "../connection/link.ts";
import { Outbox } from "../connection/outbox.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { AuditShipping } from "./audit-shipping.ts";
import type { BindingQueue } from "./binding-queue.ts";
import { DEFAULT_ISSUANCE_LIMITS, type IssuanceLimits } from "./issuance-limits.ts";
import type { SyncedView } from "./synced-view.ts";
import { UpdateAssembler } from "./update-assembler.ts";

/** The protocol versions that this agent speaks. */
const PROTOCOL_MIN = 1;
const PROTOCOL_MAX = 1;
/** An agent that may serve for less than this after its last contact does not let heartbeats grow rarer. */
const PATIENT_MS = 15 * 60_000;
/** A server that has not said hello after this long is not one to work with now. */
const HELLO_TIMEOUT_MS = 10_000;
/** A server whose heartbeat is late by this many of its shortest intervals is gone. */
const LATE_HEARTBEATS = 2;
/** For servers that leave it open. */
const DEFAULT_HEARTBEAT_SECONDS = 30;
/** Ids in one request, so that it stays far below the message limit. */
const IDS_PER_REQUEST = 5_000;
const BINDINGS_PER_REPORT = 1_000;

export interface SyncSessionDeps {
  readonly view: SyncedView;
  readonly cache: WorkloadCache;
  readonly bindings: BindingQueue;
  readonly audit: AgentAudit;
  /** What servers said of their own audit logs. */
  readonly witness: AuditWitness;
  readonly limits: Feed<IssuanceLimits>;
  /** Makes the agent's state durable. */
  readonly persist: () => Promise<void>;
  /** The state has changed and may be written soon. */
  readonly changed: () => void;
  /** A server has confirmed that it knows us, or that we know what it knows. */
  readonly contact: () => void;
  /** What the agent knows of a process, or of its recent refusals when `pid` is 0. */
  readonly explain: (pid: number, signal: AbortSignal) => Promise<readonly Refusal[]>;
  readonly agentVersion: string;
  /** How long after the last contact the agent serves. */
  readonly maxOfflineMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * One stream of assay.sync.v1 with one server, from hello to its end. Resolves when `signal` aborts.
 *
 * @throws {StatusError} UNIMPLEMENTED from a server without push; UNAVAILABLE when the stream ends or falls silent; and what
 *   else the server answers
 */
export async function runSyncSession(
  deps: SyncSessionDeps,
  link: Link,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const session = new SyncSession(deps, link, either);
  try {
    await link.use(AgentSync, (client) =>
      Promise.race([
        session.read(client.sync(session.outbox, { signal: either })),
        session.watch(),
        session.runBackground(),
      ]),
    );
  } catch (err) {
    if (!signal.aborted) throw err;
  } finally {
    over.abort();
    session.outbox.close();
    link.isLive = false;
    deps.cache.setStatus({ connected: false });
  }
}

class SyncSession {
  readonly outbox: Outbox<MessageInitShape<typeof AgentMessageSchema>> = new Outbox();
  readonly #deps: SyncSessionDeps;
  readonly #link: Link;
  readonly #signal: AbortSignal;
  readonly #assembler = new UpdateAssembler();
  readonly #acknowledgements: Acknowledgements;
  readonly #shipping: AuditShipping;
  /** The server's shortest interval of heartbeats; undefined until its hello. */
  #heartbeatMs: number | undefined;
  /** How long the server may be silent. */
  #patienceMs = HELLO_TIMEOUT_MS;
  #lastHeardMs: number;
  /** Acknowledgements go out in the order of the updates, however long each takes to become durable. */
  #applied: Promise<void> = Promise.resolve();
  /** A removal could not be made durable so far. */
  #isUnsaved = false;

  constructor(deps: SyncSessionDeps, link: Link, signal: AbortSignal) {
    this.#deps = deps;
    this.#link = link;
    this.#signal = signal;
    this.#acknowledgements = new Acknowledgements(this.outbox, deps.cache.subscriptions.owedSince);
    this.#shipping = new AuditShipping({ ...deps, outbox: this.outbox });
    this.#lastHeardMs = deps.clock.monotonicMs();
    deps.view.restart();
    this.#sayHello();
  }

  async read(messages: AsyncIterable<ServerMessage>): Promise<void> {
    try {
      for await (const message of messages) {
        this.#lastHeardMs = this.#deps.clock.monotonicMs();
        this.#handle(message);
      }
    } finally {
      // The server was there until now, however long ago its last heartbeat was. One that fell silent aborts the signal.
      if (this.#heartbeatMs !== undefined && !this.#signal.aborted) this.#deps.contact();
    }
    throw unavailable("server ended the synchronisation stream");
  }

  /** Fails when the server falls silent. */
  async watch(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#signal.aborted) {
      const leftMs = this.#lastHeardMs + this.#patienceMs - clock.monotonicMs();
      if (leftMs <= 0) throw unavailable("server has fallen silent");
      await clock.sleep(leftMs, this.#signal);
    }
  }

  runBackground(): Promise<void> {
    return runTasks(
      {
        bindings: () => this.#runBindings(),
        audit: (signal) => this.#shipping.run(signal),
        acknowledgements: (signal) => this.#acknowledgements.run(signal),
      },
      this.#signal,
    );
  }

  #sayHello(): void {
    const { point } = this.#deps.view;
    this.outbox.push({
      message: {
        case: "hello",
        value: {
          protocolMin: PROTOCOL_MIN,
          protocolMax: PROTOCOL_MAX,
          capabilities: this.#capabilities(),
          agentVersion: this.#deps.agentVersion,
          authorizationDigest: point.authorizationDigest,
          revocationEpoch: point.revocationEpoch,
          ...(point.cursor === undefined ? {} : { cursor: point.cursor }),
        },
      },
    });
  }

  #handle({ message }: ServerMessage): void {
    switch (message.case) {
      case "hello":
        this.#onHello(message.value);
        break;
      case "update": {
        const update = this.#assembler.add(message.value);
        if (update !== undefined) this.#onUpdate(update);
        break;
      }
      case "heartbeat": {
        const { cursor, auditHead, nextHeartbeatSeconds } = message.value;
        if (auditHead !== undefined) this.#deps.witness.see(auditHead);
        if (cursor !== undefined) this.#deps.view.confirm(cursor.revision);
        this.#deps.contact();
        this.#expectHeartbeat(nextHeartbeatSeconds);
        this.outbox.push({ message: { case: "heartbeat", value: this.#heartbeat() } }, "heartbeat");
        break;
      }
      case "auditReceipt":
        this.#shipping.received(message.value.throughSeq).catch((err: unknown) => {
          this.#deps.log.warn({ err }, "Audit records that the server has were not removed");
        });
        break;
      case "query":
        void this.#answer(message.value);
        break;
      case "unsupported":
        this.#deps.log.info({ kind: message.value.kind }, "Server does not know a message kind");
        break;
      default:
        // Never ignored in silence: the server must know that this agent did not do what it asked.
        this.outbox.push({
          message: { case: "unsupported", value: { kind: message.case ?? "unknown" } },
        });
    }
  }

  #onHello(hello: ServerHello): void {
    if (hello.protocol < PROTOCOL_MIN || hello.protocol > PROTOCOL_MAX) {
      throw failedPrecondition(`server speaks version ${hello.protocol} of the sync protocol`);
    }
    this.#link.isLive = true;
    this.#heartbeatMs = (hello.heartbeatSeconds || DEFAULT_HEARTBEAT_SECONDS) * 1000;
    this.#expectHeartbeat(hello.nextHeartbeatSeconds);
    this.#deps.limits.set({
      maxPerCall: hello.maxCsrsPerCall || DEFAULT_ISSUANCE_LIMITS.maxPerCall,
      maxInFlight: hello.maxCsrsInFlight || DEFAULT_ISSUANCE_LIMITS.maxInFlight,
    });
    this.#deps.cache.setStatus({ connected: true });
    this.#deps.log.info({ server_version: hello.serverVersion }, "Synchronisation began");
  }

  #onUpdate(update: Update): void {
    const { cursor } = update;
    if (cursor === undefined) throw new Error("sync: the update has no cursor");
    this.#acknowledgements.received(cursor);
    this.#deps.cache.setStatus({ serverRevision: cursor.revision });
    const before = this.#deps.view.point;
    const { point, hasRemovals, wanted } = this.#deps.view.applyUpdate(update);
    for (const ids of slicesOf(wanted, IDS_PER_REQUEST)) {
      this.outbox.push({ message: { case: "entryRequest", value: { ids } } });
    }
    this.#deps.contact();
    const mustPersist = hasRemovals || this.#isUnsaved;
    if (!mustPersist) this.#deps.changed();
    const isDurable = mustPersist ? this.#deps.persist() : undefined;
    this.#applied = Promise.all([this.#applied, isDurable]).then(
      () => {
        if (mustPersist) this.#isUnsaved = false;
        if (point !== before && point.cursor !== undefined) {
          this.#acknowledgements.applied(point.cursor);
        }
      },
      (err: unknown) => {
        this.#isUnsaved = true;
        // Not acknowledged, so that the operator sees this agent as late: after a restart it could serve what has gone.
        this.#deps.log.error({ err }, "Removal was not made durable");
      },
    );
  }

  async #answer(query: Query): Promise<void> {
    const answer = await this.#answerTo(query).catch((err: unknown) => ({
      error: describeError(err),
    }));
    this.outbox.push({ message: { case: "answer", value: { queryId: query.id, ...answer } } });
  }

  async #answerTo({ question }: Query): Promise<{ refusals?: Refusal[]; state?: AgentHeartbeat }> {
    switch (question.case) {
      case "explain": {
        const refusals = await this.#deps.explain(question.value.pid, this.#signal);
        return { refusals: [...refusals] };
      }
      case "state":
        return { state: this.#heartbeat() };
      default:
        throw new Error("unsupported question");
    }
  }

  #capabilities(): string[] {
    return this.#deps.maxOfflineMs < PATIENT_MS
      ? [FEDERATION_LIMITS]
      : [FEDERATION_LIMITS, HEARTBEAT_ANSWERS];
  }

  /** @param withinSeconds zero if the server did not say */
  #expectHeartbeat(withinSeconds: number): void {
    const shortestMs = this.#heartbeatMs;
    if (shortestMs === undefined) return;
    this.#patienceMs = (withinSeconds * 1000 || shortestMs) + LATE_HEARTBEATS * shortestMs;
  }

  async #runBindings(): Promise<void> {
    for await (const _ of this.#deps.bindings.added.subscribe(this.#signal)) {
      for (;;) {
        const taken = this.#deps.bindings.take(BINDINGS_PER_REPORT);
        if (taken.length === 0) break;
        const bindings = taken.map(({ credential, entryId, instance, executable, boundAt }) => ({
          credential,
          entryId,
          instance,
          executable: executable ?? "",
          boundAtMs: BigInt(boundAt.getTime()),
        }));
        this.outbox.push({ message: { case: "bindings", value: { bindings } } });
      }
    }
  }

  #heartbeat(): AgentHeartbeat {
    const { view, cache, witness, audit } = this.#deps;
    const { cursor, revocationEpoch } = view.point;
    const own = audit.head();
    return create(AgentHeartbeatSchema, {
      revocationEpoch,
      workloadStreams: cache.subscriptions.openCount,
      cachedSvids: cache.svids.size,
      ...(cursor === undefined ? {} : { cursor }),
      ...(witness.newest === undefined ? {} : { witnessed: witness.newest }),
      ...(own === undefined ? {} : { own }),
    });
  }
}
