import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Outbox } from "../../agent/connection/outbox.ts";
import {
  type AgentMessageSchema,
  AgentSync,
  type ServerMessage,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import type { BareAgent } from "../support/bare-agent.ts";

/** How soon an agent comes back after a lost stream, in milliseconds: between none and this, at random. */
const reconnectWithinMs = 1_000;
const HELLO = {
  protocolMin: 1,
  protocolMax: 1,
  agentVersion: "bench",
  capabilities: ["heartbeat_answers"],
};

/** An agent without workloads: it keeps its stream to the server open, knows the trust bundle, and comes back when the stream ends. */
export class SyncedAgent implements AsyncDisposable {
  #bundles = 0;
  #streams = 0;
  #refusals = 0;
  readonly #agent: BareAgent;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #stopStream = new AbortController();

  constructor(agent: BareAgent) {
    this.#agent = agent;
    this.#running = this.#run();
  }

  /** How often it was told the trust bundle. */
  get bundles(): number {
    return this.#bundles;
  }

  /** Streams that were up to date once, the present one included. */
  get streams(): number {
    return this.#streams;
  }

  /** Streams that ended with an error, those left out that found no server or one that stops. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Ends the stream; the next one begins a moment later. */
  reconnect(): void {
    this.#stopStream.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#stopStream = new AbortController();
      const stop = AbortSignal.any([signal, this.#stopStream.signal]);
      await this.#stream(stop).catch((error: unknown) => {
        if (!signal.aborted && codeOf(error) !== Status.UNAVAILABLE) this.#refusals += 1;
      });
      await sleep(Math.random() * reconnectWithinMs, undefined, { signal }).catch(() => {});
    }
  }

  async #stream(signal: AbortSignal): Promise<void> {
    const outbox = new Outbox<MessageInitShape<typeof AgentMessageSchema>>();
    outbox.push({ message: { case: "hello", value: HELLO } });
    const messages = this.#agent.client(AgentSync).sync(outbox, { signal });
    let upToDate = false;
    for await (const { message } of messages) {
      this.#read(message);
      if (message.case === "heartbeat") outbox.push({ message: { case: "heartbeat", value: {} } });
      if (message.case !== "update" || message.value.more || upToDate) continue;
      upToDate = true;
      this.#streams += 1;
    }
  }

  #read(message: ServerMessage["message"]): void {
    if (message.case !== "update") return;
    if (message.value.bundles.length > 0) this.#bundles += 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#agent[Symbol.dispose]();
  }
}

function codeOf(error: unknown): number | undefined {
  return error instanceof StatusError ? error.code : undefined;
}
