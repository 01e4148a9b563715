/**
 * What an agent and the holder of the workload socket say to each other: one JSON object a line. The agent begins; with `hello`
 * goes the descriptor that it has, with `socket` the one that it gets. A connection that begins with `pod` is for one descriptor
 * only. docs/operations/csi.md tells the whole conversation.
 */

/** The version of the conversation. A holder refuses others. */
export const HOLDER_PROTOCOL = 1;

/** Longest line. */
export const MAX_MESSAGE_BYTES = 512;

/** From an agent. */
export type AgentMessage =
  | {
      readonly type: "hello";
      readonly version: number;
      /** When the agent's process started, in milliseconds of the machine's monotonic clock: the newest one serves. */
      readonly sinceMs: number;
      /** Whether the agent serves sockets of single pods too, and wants to hear of them once it serves. */
      readonly pods: boolean;
    }
  /** Asks for the socket of a pod. */
  | { readonly type: "pod"; readonly version: number; readonly name: string }
  /** The agent accepts connections. */
  | { readonly type: "serving" };

/** From the holder. */
export type HolderMessage =
  /** The socket: the one that the agent has already, or the one that comes with this message. */
  | { readonly type: "socket"; readonly kept: boolean }
  /** There is a socket of a pod, or another one than before by that name. */
  | { readonly type: "pod"; readonly name: string }
  /** It is gone. */
  | { readonly type: "pod_gone"; readonly name: string }
  /** Those were all that there are at the moment. */
  | { readonly type: "pods_told" }
  /** A newer agent accepts connections: leave them to it. */
  | { readonly type: "release" }
  /** The newer agent is gone: accept connections again. */
  | { readonly type: "accept" };

/** The other side does not keep to the conversation. */
export class HolderProtocolError extends Error {
  override readonly name = "HolderProtocolError";
}

/** One line, without its end. */
export function formatMessage(message: AgentMessage | HolderMessage): string {
  return JSON.stringify(message);
}

/** @throws {HolderProtocolError} for anything else than a message of an agent */
export function parseAgentMessage(text: string): AgentMessage {
  const fields = parseFields(text);
  const [type, version, sinceMs, name] = ["type", "version", "sinceMs", "name"].map((key) =>
    fields.get(key),
  );
  if (type === "hello" && typeof version === "number" && typeof sinceMs === "number") {
    // Agents of before did not say.
    return { type, version, sinceMs, pods: fields.get("pods") === true };
  }
  if (type === "pod" && typeof version === "number" && typeof name === "string") {
    return { type, version, name };
  }
  if (type === "serving") return { type };
  throw new HolderProtocolError("not a message of an agent");
}

/** @throws {HolderProtocolError} for anything else than a message of a holder */
export function parseHolderMessage(text: string): HolderMessage {
  const fields = parseFields(text);
  const type = fields.get("type");
  const kept = fields.get("kept");
  if (type === "socket" && typeof kept === "boolean") return { type, kept };
  const name = fields.get("name");
  if ((type === "pod" || type === "pod_gone") && typeof name === "string") return { type, name };
  if (type === "release" || type === "accept" || type === "pods_told") return { type };
  throw new HolderProtocolError("not a message of a holder");
}

function parseFields(text: string): ReadonlyMap<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new HolderProtocolError("message is not JSON");
  }
  if (typeof value !== "object" || value === null) {
    throw new HolderProtocolError("message is not an object");
  }
  return new Map(Object.entries(value));
}
