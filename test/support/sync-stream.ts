import assert from "node:assert/strict";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type Acknowledgement_State as Ack,
  type AgentMessageSchema,
  AgentSync,
  type Cursor,
  Update_Kind as Kind,
  type ServerMessage,
  type Update,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { CALL, type Connection, type JoinedAgent, type RunningServer } from "./running-server.ts";

type AgentMessage = NonNullable<
  Exclude<MessageInitShape<typeof AgentMessageSchema>, { $typeName: string }>["message"]
>;

/** An agent's end of the synchronisation stream, spoken by hand. */
export class SyncStream implements AsyncDisposable {
  readonly connection: Connection;
  readonly #messages: AsyncIterator<ServerMessage>;
  readonly #outgoing: AgentMessage[] = [];
  #updates = 0;
  #wake: () => void = () => {};

  /** @param address where the server is reached, if not directly */
  constructor(server: RunningServer, { identity }: JoinedAgent, address: string = server.address) {
    this.connection = server.connect(identity, address);
    const { signal } = CALL;
    this.#messages = this.connection
      .client(AgentSync)
      .sync(this.#requests(), { signal })
      [Symbol.asyncIterator]();
  }

  /** Updates read so far, those among them that say nothing included. */
  get updates(): number {
    return this.#updates;
  }

  /** Says hello and reads what brings the agent up to date. */
  async begin(held: { cursor?: Cursor; digest?: Uint8Array } = {}): Promise<Update> {
    this.send({
      case: "hello",
      value: {
        protocolMin: 1,
        protocolMax: 1,
        agentVersion: "9.9",
        authorizationDigest: held.digest ?? new Uint8Array(),
        ...(held.cursor === undefined ? {} : { cursor: held.cursor }),
      },
    });
    assert.equal((await this.next()).case, "hello");
    return await this.nextUpdate();
  }

  send(message: AgentMessage): void {
    this.#outgoing.push(message);
    this.#wake();
  }

  acknowledge(state: Ack, { cursor }: Update): void {
    if (cursor === undefined) throw new Error("no cursor");
    this.send({ case: "acknowledgement", value: { state, cursor } });
  }

  async next(): Promise<ServerMessage["message"]> {
    const { value, done } = await this.#messages.next();
    assert.notEqual(done, true);
    if (value.message.case === "update") this.#updates += 1;
    return value.message;
  }

  /** The next update that says something; signs of life, and updates that only bring a new place, are passed over. */
  async nextUpdate(): Promise<Update> {
    for (;;) {
      const message = await this.next();
      if (message.case !== "update") continue;
      const { kind, entries, removedEntryIds, bundles } = message.value;
      const isEmpty = entries.length + removedEntryIds.length + bundles.length === 0;
      if (kind !== Kind.DIFFERENCE || !isEmpty) return message.value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#messages.return?.();
    this.connection[Symbol.dispose]();
  }

  async *#requests() {
    for (;;) {
      const message = this.#outgoing.shift();
      if (message !== undefined) yield { message };
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
