import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Descriptor } from "../../runtime/peer/descriptor.ts";
import {
  type DescriptorLine,
  receiveDescriptorLine,
  sendDescriptorLine,
} from "../../runtime/peer/descriptor-line.ts";
import { readLines } from "../../runtime/peer/lines.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import {
  type AgentMessage,
  formatMessage,
  HOLDER_PROTOCOL,
  HolderProtocolError,
  MAX_MESSAGE_BYTES,
  parseHolderMessage,
} from "./messages.ts";
import { ServedPodSockets } from "./served-pod-sockets.ts";

/** What a {@link HolderClient} needs. */
export interface HolderClientDeps {
  /** The holder's socket. */
  readonly path: string;
  /** When this process started, in milliseconds of the machine's monotonic clock. */
  readonly sinceMs: number;
  /**
   * Accepts connections from a listening socket until it is disposed of. The descriptor is its own to close.
   *
   * @param socketPod UID of the pod that alone has this socket
   */
  readonly listen: (fd: number, socketPod?: string) => Promise<AsyncDisposable>;
  /** How long to wait, at the end, for a holder that is away to take the socket back. */
  readonly giveBackMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** How an agent stands to a socket that somebody else holds. */
export interface HolderStanding {
  /** Whether workloads that connect are served here. */
  readonly accepting: boolean;
  /** Whether a newer agent serves them. */
  readonly released: boolean;
  /** Whether the holder is there. */
  readonly attached: boolean;
}

/** The first wait is shorter than it takes a holder to start, the longest still shorter than the patience of a client. */
const BACKOFF = { baseMs: 20, maxMs: 500 };

/** How long the holder may take to answer. */
const ANSWER_MS = 5_000;

/**
 * Serves the workload socket of a holder: gets the listening descriptor, accepts on it, and leaves it to a newer agent when the
 * holder says so. When the holder goes away it goes on with what it has, and gives that to the holder that comes next.
 */
export class HolderClient {
  readonly #deps: HolderClientDeps;
  readonly #standing = new Feed<HolderStanding>({
    accepting: false,
    released: false,
    attached: false,
  });
  /** A descriptor of our own beside the listener's, so that there is something to give back. */
  #socket: Descriptor | undefined;
  #listener: AsyncDisposable | undefined;
  readonly #pods: ServedPodSockets;
  /** Sockets of pods that the holder named since it was reached. */
  #named = new Set<string>();

  constructor(deps: HolderClientDeps) {
    this.#deps = deps;
    this.#pods = new ServedPodSockets(deps);
  }

  get standing(): ReadFeed<HolderStanding> {
    return this.#standing;
  }

  /**
   * Runs until `signal` aborts, and then accepts no more: who connects waits for the next agent. While the holder is away the socket
   * would be nobody's, so it stays for a while to give it back.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log, path } = this.#deps;
    const backoff = new Backoff({ ...BACKOFF, random });
    let isSaid = false;
    let isHeld = false;
    try {
      while (!signal.aborted) {
        try {
          for await (const _ of this.#attach(signal)) {
            backoff.reset();
            isSaid = false;
            isHeld = true;
          }
        } catch (err) {
          if (signal.aborted) break;
          if (!isSaid) log.warn({ err, socket_path: path }, "No holder of the workload socket");
          isSaid = true;
        }
        isHeld = signal.aborted;
        this.#update({ attached: false });
        await clock.sleep(backoff.nextMs(), signal);
      }
    } finally {
      await this.#stopAccepting();
      await this.#pods[Symbol.asyncDispose]();
      if (!isHeld) await this.#giveBack();
      this.#socket?.[Symbol.dispose]();
    }
  }

  /** Leaves the socket to the holder that comes next. */
  async #giveBack(): Promise<void> {
    const { clock, random, giveBackMs, path } = this.#deps;
    const done = new AbortController();
    const late = clock.sleep(giveBackMs, done.signal).then(() => done.abort());
    const backoff = new Backoff({ ...BACKOFF, random });
    while (this.#socket !== undefined && !done.signal.aborted) {
      const socket = connectPaused(path);
      try {
        await once(socket, "connect", { signal: done.signal });
        await this.#getSocket(socket, done.signal);
        done.abort();
      } catch {
        // It is still away.
        await clock.sleep(backoff.nextMs(), done.signal);
      } finally {
        socket.destroy();
      }
    }
    done.abort();
    await late;
  }

  /** Gets the socket and follows the holder's orders; yields when it has got it. Ends with the connection. */
  async *#attach(signal: AbortSignal): AsyncGenerator<void> {
    const socket = connectPaused(this.#deps.path);
    const abandon = (): void => void socket.destroy();
    signal.addEventListener("abort", abandon);
    try {
      await once(socket, "connect", { signal });
      await this.#getSocket(socket, signal);
      await this.#accept();
      this.#named = new Set();
      socket.write(`${formatMessage({ type: "serving" })}\n`);
      this.#update({ attached: true });
      yield;
      for await (const line of readLines(socket, MAX_MESSAGE_BYTES)) await this.#obey(line, signal);
    } finally {
      signal.removeEventListener("abort", abandon);
      socket.destroy();
    }
  }

  async #getSocket(socket: Socket, signal: AbortSignal): Promise<void> {
    const { sinceMs } = this.#deps;
    const hello = { type: "hello", version: HOLDER_PROTOCOL, sinceMs, pods: true } as const;
    const answer = await this.#ask(socket, hello, this.#socket?.fd, signal);
    const given = givenIn(answer);
    if (given === undefined) {
      if (this.#socket === undefined) throw new HolderProtocolError("there is nothing to keep");
      return;
    }
    // Of another socket than the one we have: nobody connects to that one any more.
    await this.#stopAccepting();
    this.#socket?.[Symbol.dispose]();
    this.#socket = given;
  }

  async #ask(
    socket: Socket,
    question: AgentMessage,
    descriptor: number | undefined,
    signal: AbortSignal,
  ): Promise<DescriptorLine> {
    const { clock } = this.#deps;
    sendDescriptorLine(socket, formatMessage(question), descriptor);
    return receiveDescriptorLine(socket, {
      maxBytes: MAX_MESSAGE_BYTES,
      timeoutMs: ANSWER_MS,
      clock,
      signal,
    });
  }

  /** Gets the socket of a pod, over a connection of its own: ordinary reading would lose the descriptor. */
  async #getPodSocket(name: string, signal: AbortSignal): Promise<void> {
    const socket = connectPaused(this.#deps.path);
    try {
      await once(socket, "connect", { signal });
      const question = { type: "pod", version: HOLDER_PROTOCOL, name } as const;
      const answer = await this.#ask(socket, question, undefined, signal);
      const given = podSocketIn(answer);
      if (given === undefined) await this.#pods.remove(name);
      else await this.#pods.put(name, given);
    } finally {
      socket.destroy();
    }
  }

  async #obey(line: string, signal: AbortSignal): Promise<void> {
    const { log } = this.#deps;
    const order = parseHolderMessage(line);
    switch (order.type) {
      case "pod":
        this.#named.add(order.name);
        await this.#getPodSocket(order.name, signal);
        return;
      case "pod_gone":
        this.#named.delete(order.name);
        await this.#pods.remove(order.name);
        return;
      case "pods_told":
        await this.#pods.keepOnly(this.#named);
        return;
      case "release":
        await this.#stopAccepting();
        this.#update({ released: true });
        log.info("A newer agent serves the workload socket");
        return;
      case "accept":
        await this.#accept();
        log.info("Serving the workload socket again");
        return;
      case "socket":
        throw new HolderProtocolError("message comes at the wrong time");
    }
  }

  async #accept(): Promise<void> {
    if (this.#socket === undefined) throw new HolderProtocolError("there is no socket");
    this.#listener ??= await this.#deps.listen(this.#socket.duplicate().take());
    await this.#pods.accept();
    this.#update({ accepting: true, released: false });
  }

  async #stopAccepting(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    this.#update({ accepting: false });
    await listener?.[Symbol.asyncDispose]();
    await this.#pods.stopAccepting();
  }

  #update(change: Partial<HolderStanding>): void {
    this.#standing.set({ ...this.#standing.value, ...change });
  }
}

/** Reads nothing until it is resumed. */
function connectPaused(path: string): Socket {
  const socket = connect(path);
  socket.pause();
  // A connection may break before anybody listens for that.
  socket.on("error", () => {});
  return socket;
}

/** The descriptor in the holder's answer; undefined if we are to keep what we have. */
function givenIn({ text, descriptor }: DescriptorLine): Descriptor | undefined {
  try {
    const message = parseHolderMessage(text);
    if (message.type !== "socket" || message.kept !== (descriptor === undefined)) {
      throw new HolderProtocolError("expected the socket");
    }
    return descriptor;
  } catch (err) {
    descriptor?.[Symbol.dispose]();
    throw err;
  }
}

/** The descriptor of a pod's socket in the holder's answer; undefined if it is gone. */
function podSocketIn({ text, descriptor }: DescriptorLine): Descriptor | undefined {
  try {
    const message = parseHolderMessage(text);
    if (message.type === "pod_gone" && descriptor === undefined) return undefined;
    if (message.type === "socket" && !message.kept && descriptor !== undefined) return descriptor;
    throw new HolderProtocolError("expected the socket of a pod");
  } catch (err) {
    descriptor?.[Symbol.dispose]();
    throw err;
  }
}
