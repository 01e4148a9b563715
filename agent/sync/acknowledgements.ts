import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type AgentMessageSchema,
  type Cursor,
  Acknowledgement_State as State,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import type { ReadFeed } from "../../runtime/feed.ts";
import type { Outbox } from "../connection/outbox.ts";

/** A place in the server's log, without the message around it. */
export type Place = Pick<Cursor, "incarnation" | "revision">;

/**
 * Tells the server how far each revision has come on this node: received, applied, delivered (D13). A state that was reached for
 * a later revision before it was sent for an earlier one is sent once, for the later.
 */
export class Acknowledgements {
  readonly #outbox: Outbox<MessageInitShape<typeof AgentMessageSchema>>;
  /** The oldest revision that some open stream still waits for. */
  readonly #owedSince: ReadFeed<bigint | undefined>;
  /** Applied, and not known to be delivered; in order. */
  #undelivered: Place[] = [];

  constructor(
    outbox: Outbox<MessageInitShape<typeof AgentMessageSchema>>,
    owedSince: ReadFeed<bigint | undefined>,
  ) {
    this.#outbox = outbox;
    this.#owedSince = owedSince;
  }

  received(cursor: Place): void {
    this.#send(State.RECEIVED, cursor);
  }

  /** Call it in the order of revisions, once removals are durable. */
  applied(cursor: Place): void {
    this.#send(State.APPLIED, cursor);
    this.#undelivered.push(cursor);
    this.#tellDelivered();
  }

  /** Watches the open streams. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#owedSince.subscribe(signal)) this.#tellDelivered();
  }

  #tellDelivered(): void {
    const owedSince = this.#owedSince.value;
    const isDelivered = ({ revision }: Place): boolean =>
      owedSince === undefined || revision < owedSince;
    const newest = this.#undelivered.findLast(isDelivered);
    if (newest === undefined) return;
    this.#undelivered = this.#undelivered.filter((place) => !isDelivered(place));
    this.#send(State.DELIVERED, newest);
  }

  #send(state: State, { incarnation, revision }: Place): void {
    const value = { state, cursor: { incarnation, revision } };
    this.#outbox.push({ message: { case: "acknowledgement", value } }, `acknowledgement ${state}`);
  }
}
