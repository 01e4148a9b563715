import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type AgentState, AgentStateSchema } from "../../proto/gen/assay/agent/v1/state_pb.ts";

/** Fields of the state file's message. */
export type StateFields = Exclude<MessageInitShape<typeof AgentStateSchema>, AgentState>;

/**
 * Encodes a state, each part when it is asked for. The parts one after the other are one message: its lists are joined, so each
 * part may hold a piece of them, and of other fields the last one counts.
 */
export function* encodeState(...lists: Iterable<StateFields>[]): Generator<Uint8Array, void> {
  for (const parts of lists) {
    for (const part of parts) yield toBinary(AgentStateSchema, create(AgentStateSchema, part));
  }
}
