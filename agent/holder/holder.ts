import type { Socket } from "node:net";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Descriptor } from "../../runtime/peer/descriptor.ts";
import { receiveDescriptorLine, sendDescriptorLine } from "../../runtime/peer/descriptor-line.ts";
import { readLines } from "../../runtime/peer/lines.ts";
import { isListening } from "../../runtime/peer/socket-file.ts";
import { UnixListener } from "../../runtime/peer/unix-listener.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { type Beginning, beginningOf } from "./beginning.ts";
import { HeldSocket, type HeldSocketPlace } from "./held-socket.ts";
import {
  formatMessage,
  type HolderMessage,
  HolderProtocolError,
  MAX_MESSAGE_BYTES,
  parseAgentMessage,
} from "./messages.ts";
import type { PodSockets } from "./pod-sockets.ts";
import { linkAliases } from "./socket-aliases.ts";
import { Succession, type SuccessionMember } from "./succession.ts";
import { tellPods } from "./tell-pods.ts";
import { Trouble } from "./trouble.ts";

/** What a holder is made from. */
export interface HolderDeps {
  /** What workloads connect to. */
  readonly workloadSocket: HeldSocketPlace;
  /** Other names beside it that lead to it. */
  readonly socketAliases?: readonly string[];
  /** Sockets of single pods, which agents are told of. */
  readonly podSockets?: PodSockets | undefined;
  /** Where agents ask for it. */
  readonly path: string;
  /** User IDs that may ask. */
  readonly admittedUids: ReadonlySet<number>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** How it stands. */
export interface HolderStatus {
  /** Whether workloads can connect, if only to wait. */
  readonly bound: boolean;
  /** Agents that have the socket and accept, or would if there were no newer one. */
  readonly agents: number;
  /** Whether an agent has accepted connections since this holder started. */
  readonly agentSeen: boolean;
}

/** Agents at a time. Two are usual in a rolling update; the rest is room for those that have just been killed. */
const MAX_AGENTS = 16;

/** How long an agent may take to say hello. */
const HELLO_MS = 5_000;

/** How often the socket's place is looked after. */
const CHECK_MS = 1_000;

/** While there is no socket, as when an agent that has it is still to come back. */
const RETRY_MS = 200;

/** An agent that is told to stop together with this holder is gone after that long. */
const SETTLE_MS = 1_000;

/**
 * Keeps the workload socket, so that it outlives every agent (decision D7): binds it, never accepts, and passes it to each agent
 * that asks. Whoever connects while no agent accepts waits in the kernel's queue. A holder that was restarted takes the socket
 * back from an agent that still has it, and binds it anew when nobody has.
 */
export class Holder implements AsyncDisposable {
  readonly #deps: HolderDeps;
  readonly #status = new Feed<HolderStatus>({ bound: false, agents: 0, agentSeen: false });
  readonly #succession = new Succession();
  readonly #connections = new Set<Socket>();
  readonly #closed = new AbortController();
  #held: HeldSocket | undefined;
  /** Until there was a socket for the first time: later ones that agents may have are older than ours. */
  #mayAdopt = true;
  #listener: UnixListener | undefined;

  /** Takes questions of agents when it returns; {@link run} gets the socket. @throws {Error} if `path` is taken */
  static async open(deps: HolderDeps): Promise<Holder> {
    const holder = new Holder(deps);
    holder.#listener = await UnixListener.open({
      endpoint: { path: deps.path, mode: 0o600 },
      maxConnections: MAX_AGENTS,
      admit: ({ uid }) => deps.admittedUids.has(uid),
      pauseOnConnect: true,
      onConnection: (socket, _peer, connectionId) => {
        void holder.#converse(socket, deps.log.child({ connection_id: connectionId }));
      },
      log: deps.log,
      random: deps.random,
    });
    return holder;
  }

  private constructor(deps: HolderDeps) {
    this.#deps = deps;
  }

  get status(): ReadFeed<HolderStatus> {
    return this.#status;
  }

  /** Gets the socket, and looks after it until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const trouble = new Trouble(this.#deps);
    while (!signal.aborted) {
      try {
        await this.#ensure();
        trouble.over();
      } catch (err) {
        trouble.met(err);
      }
      await clock.sleep(this.#held === undefined ? RETRY_MS : CHECK_MS, signal);
    }
  }

  /**
   * Waits until an agent has the socket, for at most `limitMs`: agents may be replaced at the same time, and a socket that nobody has
   * refuses whoever connects. Does not wait where there was never one.
   */
  async handOver(limitMs: number): Promise<void> {
    const { clock, log } = this.#deps;
    const done = new AbortController();
    const late = clock.sleep(limitMs, done.signal).then(() => done.abort());
    if (this.#status.value.agentSeen) await clock.sleep(SETTLE_MS, done.signal);
    const { agents, agentSeen, bound } = this.#status.value;
    if (bound && agentSeen && agents === 0 && !done.signal.aborted) {
      log.info("Waiting for an agent to leave the workload socket to");
      for await (const now of this.#status.subscribe(done.signal)) if (now.agents > 0) break;
    }
    done.abort();
    await late;
  }

  /** Agents that have the socket go on accepting. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new Error("holder is closed"));
    await this.#listener?.[Symbol.asyncDispose]();
    this.#disconnect();
    await this.#held?.[Symbol.asyncDispose]();
    this.#held = undefined;
  }

  async #ensure(): Promise<void> {
    const { workloadSocket, log } = this.#deps;
    const lost = this.#held;
    if (lost?.isInPlace() === true) return;
    if (lost !== undefined) {
      log.error({ socket_path: workloadSocket.path }, "Workload socket was taken away");
      this.#keep(undefined);
      await lost[Symbol.asyncDispose]();
      this.#disconnect();
    }
    await linkAliases(workloadSocket.path, this.#deps.socketAliases ?? []);
    const bound = await HeldSocket.bind(workloadSocket);
    if (this.#held !== undefined) {
      // Given back while this one was bound, and its place is lost to it.
      await this.#held[Symbol.asyncDispose]();
      this.#disconnect();
    }
    this.#keep(bound);
    log.info({ socket_path: workloadSocket.path }, "Workload socket bound");
  }

  /** Agents come back, and then get what is held by then. */
  #disconnect(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  #keep(held: HeldSocket | undefined): void {
    this.#held = held;
    this.#mayAdopt = false;
    this.#update({ bound: held !== undefined });
  }

  #update(change: Partial<HolderStatus>): void {
    this.#status.set({ ...this.#status.value, ...change });
  }

  /** Talks with one agent until its connection ends. Never rejects. */
  async #converse(socket: Socket, log: Logger): Promise<void> {
    this.#connections.add(socket);
    socket.once("close", () => this.#connections.delete(socket));
    let member: SuccessionMember | undefined;
    const over = new AbortController();
    const tell = (message: HolderMessage): void => {
      socket.write(`${formatMessage(message)}\n`);
    };
    try {
      const begun = await this.#begin(socket);
      if (begun.type === "pod") {
        this.#handOverPod(socket, begun.name);
        return;
      }
      const { sinceMs } = begun;
      await this.#handOver(socket, begun.offered);
      log.info("Agent has the workload socket");
      for await (const line of readLines(socket, MAX_MESSAGE_BYTES)) {
        if (parseAgentMessage(line).type !== "serving" || member !== undefined) {
          throw new HolderProtocolError("message comes at the wrong time");
        }
        member = { sinceMs, order: tell };
        this.#succession.join(member);
        this.#update({ agents: this.#succession.size, agentSeen: true });
        log.info("Agent accepts connections of workloads");
        const { podSockets } = this.#deps;
        if (begun.pods && podSockets) void tellPods(podSockets.held, tell, over.signal);
      }
      log.info("Agent is gone");
    } catch (err) {
      if (!this.#closed.signal.aborted) log.warn({ err }, "Conversation with an agent failed");
    } finally {
      over.abort();
      socket.destroy();
      if (member !== undefined) this.#succession.leave(member);
      this.#update({ agents: this.#succession.size });
    }
  }

  /** What a connection begins with, and the descriptor that came with it. */
  async #begin(socket: Socket): Promise<Beginning> {
    const { clock } = this.#deps;
    const line = await receiveDescriptorLine(socket, {
      maxBytes: MAX_MESSAGE_BYTES,
      timeoutMs: HELLO_MS,
      clock,
      signal: this.#closed.signal,
    });
    return beginningOf(line);
  }

  /** Sees to it that the agent has our socket, or we its. */
  async #handOver(socket: Socket, offered: Descriptor | undefined): Promise<void> {
    if (offered !== undefined && (await this.#takeBack(offered))) {
      sendDescriptorLine(socket, formatMessage({ type: "socket", kept: true }));
      return;
    }
    // The agent asks again in a moment.
    if (this.#held === undefined) throw new Error("there is no socket yet");
    sendDescriptorLine(socket, formatMessage({ type: "socket", kept: false }), this.#held.fd);
  }

  #handOverPod(socket: Socket, name: string): void {
    const held = this.#deps.podSockets?.held.value.get(name);
    if (held === undefined) sendDescriptorLine(socket, formatMessage({ type: "pod_gone", name }));
    else sendDescriptorLine(socket, formatMessage({ type: "socket", kept: false }), held.fd);
  }

  /** Whether the agent may keep what it has: our socket, or the one that is ours from here on. */
  async #takeBack(offered: Descriptor): Promise<boolean> {
    const { workloadSocket } = this.#deps;
    // Somebody listens on what is offered: a path that refuses leads to another socket.
    const isRefused = this.#held === undefined && !(await isListening(workloadSocket.path));
    if (this.#held !== undefined) {
      using given = offered;
      return this.#held.isSame(given);
    }
    const mayAdopt = this.#mayAdopt && !isRefused && !this.#closed.signal.aborted;
    const adopted = mayAdopt ? HeldSocket.adopt(workloadSocket, offered) : undefined;
    if (adopted === undefined) {
      offered[Symbol.dispose]();
      return false;
    }
    this.#keep(adopted);
    this.#deps.log.info("Workload socket taken back from an agent");
    return true;
  }
}
