import type { Descriptor } from "../../runtime/peer/descriptor.ts";
import type { DescriptorLine } from "../../runtime/peer/descriptor-line.ts";
import { HOLDER_PROTOCOL, HolderProtocolError, parseAgentMessage } from "./messages.ts";

/** How a connection to the holder begins. */
export type Beginning =
  | {
      readonly type: "hello";
      readonly sinceMs: number;
      readonly pods: boolean;
      readonly offered: Descriptor | undefined;
    }
  | { readonly type: "pod"; readonly name: string };

/**
 * Reads the first line of a connection.
 *
 * @throws {HolderProtocolError} for anything that no agent begins with; then the descriptor is closed
 */
export function beginningOf({ text, descriptor }: DescriptorLine): Beginning {
  try {
    const message = parseAgentMessage(text);
    if (message.type === "serving") throw new HolderProtocolError("expected hello");
    if (message.version !== HOLDER_PROTOCOL) {
      throw new HolderProtocolError(`version ${message.version} is not spoken here`);
    }
    if (message.type === "hello") return { ...message, offered: descriptor };
    if (descriptor !== undefined) throw new HolderProtocolError("no descriptor is due");
    return message;
  } catch (err) {
    descriptor?.[Symbol.dispose]();
    throw err;
  }
}
