import { fromBinary } from "@bufbuild/protobuf";
import { type AgentState, AgentStateSchema } from "../../proto/gen/assay/agent/v1/state_pb.ts";
import type { Logger } from "../../runtime/log.ts";
import { readStateFile } from "./state-file.ts";

export interface LoadStateDeps {
  readonly path: string;
  readonly trustDomain: string;
  /** See nodeBinding. */
  readonly nodeBinding: Uint8Array;
  readonly log: Logger;
}

/**
 * Loads what an earlier run of this agent left, or undefined when there is nothing that may be used: no file, a damaged one,
 * one from another node or for another trust domain. Such a file is not served from, and the next write replaces it; the
 * agent starts afresh and attests again.
 *
 * @throws {Error} when the file may not be trusted at all (owner, mode); someone must look
 */
export async function loadState(deps: LoadStateDeps): Promise<AgentState | undefined> {
  const content = await readStateFile(deps.path);
  if (content.kind === "absent") return undefined;
  const refuse = (problem: string): undefined => {
    deps.log.warn({ path: deps.path, problem }, "State file is not used, starting afresh");
    return undefined;
  };
  if (content.kind === "damaged") return refuse(content.problem);
  const state = decode(content.body);
  if (state === undefined) return refuse("it cannot be decoded");
  if (state.trustDomain !== deps.trustDomain) {
    return refuse("it belongs to another trust domain");
  }
  if (Buffer.compare(state.nodeBinding, deps.nodeBinding) !== 0) {
    return refuse("it was written on another node");
  }
  return state;
}

function decode(body: Uint8Array): AgentState | undefined {
  try {
    return fromBinary(AgentStateSchema, body);
  } catch {
    return undefined;
  }
}
