/** What an agent has said about a revision; each implies those before it. */
export type AckState = "received" | "applied" | "delivered";

/** Something that was sent, and the oldest revision that it brought. */
interface Sent {
  cursor: bigint;
  readonly oldest: bigint;
}

/** An agent that takes updates and never acknowledges any must not make us remember them all. */
const MAX_UNACKNOWLEDGED = 256;

/**
 * How far the changes that concern one agent have come: which are not sent, and which are not acknowledged. Changes that do not
 * concern the agent owe nothing.
 */
export class Progress {
  readonly #unacknowledged: Record<"applied" | "delivered", Sent[]> = {
    applied: [],
    delivered: [],
  };
  #unsent: bigint | undefined;

  /** A commit concerns the agent. Revisions come in order. */
  changed(revision: bigint): void {
    this.#unsent ??= revision;
  }

  /** Everything up to `cursor` was handed to the transport. */
  sent(cursor: bigint): void {
    if (this.#unsent === undefined) return;
    const sent = { cursor, oldest: this.#unsent };
    this.#unsent = undefined;
    for (const list of Object.values(this.#unacknowledged)) {
      const last = list.at(-1);
      if (last !== undefined && list.length >= MAX_UNACKNOWLEDGED) last.cursor = cursor;
      else list.push({ ...sent });
    }
  }

  /** The agent says that it has come to `revision`. */
  acknowledged(state: AckState, revision: bigint): void {
    if (state === "received") return;
    drop(this.#unacknowledged.applied, revision);
    if (state === "delivered") drop(this.#unacknowledged.delivered, revision);
  }

  /** Whether a change at or before `revision` has yet to reach that state. */
  isBehind(revision: bigint, state: "applied" | "delivered"): boolean {
    const oldest = this.#unacknowledged[state][0]?.oldest ?? this.#unsent;
    return oldest !== undefined && oldest <= revision;
  }
}

function drop(list: Sent[], revision: bigint): void {
  while (list[0] !== undefined && list[0].cursor <= revision) list.shift();
}
