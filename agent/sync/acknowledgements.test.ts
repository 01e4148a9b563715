import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type AgentMessageSchema,
  Acknowledgement_State as State,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { Feed } from "../../runtime/feed.ts";
import { Outbox } from "../connection/outbox.ts";
import { Acknowledgements } from "./acknowledgements.ts";

const at = (revision: bigint) => ({ incarnation: "i1", revision });

function setUp() {
  const outbox = new Outbox<MessageInitShape<typeof AgentMessageSchema>>();
  const owedSince = new Feed<bigint | undefined>(undefined);
  const acknowledgements = new Acknowledgements(outbox, owedSince);
  const sent = async () => {
    outbox.close();
    const messages = await Array.fromAsync(outbox);
    return messages.map(({ message }) =>
      message?.case === "acknowledgement"
        ? [message.value.state, message.value.cursor?.revision]
        : [],
    );
  };
  return { acknowledgements, owedSince, sent };
}

describe("Acknowledgements", () => {
  it("says delivered at once when no stream waits", async () => {
    const { acknowledgements, sent } = setUp();
    acknowledgements.received(at(5n));
    acknowledgements.applied(at(5n));
    assert.deepEqual(await sent(), [
      [State.RECEIVED, 5n],
      [State.APPLIED, 5n],
      [State.DELIVERED, 5n],
    ]);
  });

  it("says delivered for what lies before the oldest revision that a stream waits for", async () => {
    const { acknowledgements, owedSince, sent } = setUp();
    owedSince.set(6n);
    for (const revision of [5n, 6n, 7n]) acknowledgements.applied(at(revision));
    assert.deepEqual(await sent(), [
      [State.DELIVERED, 5n],
      [State.APPLIED, 7n],
    ]);
  });

  it("says delivered when the streams have been written", async () => {
    const { acknowledgements, owedSince, sent } = setUp();
    owedSince.set(5n);
    acknowledgements.applied(at(5n));
    acknowledgements.applied(at(6n));
    const leaving = new AbortController();
    const running = acknowledgements.run(leaving.signal);
    owedSince.set(undefined);
    await new Promise((resolve) => setImmediate(resolve));
    leaving.abort();
    await running;
    assert.deepEqual(await sent(), [
      [State.APPLIED, 6n],
      [State.DELIVERED, 6n],
    ]);
  });
});
