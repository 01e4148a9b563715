import { create } from "@bufbuild/protobuf";
import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { type Agent, AgentSchema } from "../gen/spire/api/types/agent_pb.ts";
import type { Selector } from "../selector.ts";
import { decodeText, encodeUnixSeconds } from "./field.ts";
import { encodeSpiffeId } from "./id.ts";
import { encodeSelector } from "./selector.ts";

const MAX_AGENT_VERSION_BYTES = 255;

/** An attested node as administrators see it. */
export interface AgentFields {
  readonly id: SpiffeId;
  /** The node attestor, for example "x509pop". */
  readonly attestationType: string;
  /** Serial number of the SVID in use, lower-case hexadecimal in whole octets; empty once the agent is banned. */
  readonly serialNumberHex: string;
  readonly expiresAt: Date | undefined;
  readonly selectors: readonly Selector[];
  readonly banned: boolean;
  readonly canReattest: boolean;
  readonly agentVersion: string;
}

/** Writes an agent. The serial number is decimal on the wire. */
export function encodeAgent(agent: AgentFields): Agent {
  return create(AgentSchema, {
    id: encodeSpiffeId(agent.id),
    attestationType: agent.attestationType,
    x509svidSerialNumber: serialHexToDecimal(agent.serialNumberHex),
    x509svidExpiresAt: encodeUnixSeconds(agent.expiresAt),
    selectors: agent.selectors.map(encodeSelector),
    banned: agent.banned,
    canReattest: agent.canReattest,
    agentVersion: agent.agentVersion,
  });
}

/**
 * Reads the version that an agent reports of itself.
 *
 * @throws {StatusError} INVALID_ARGUMENT when it is too long
 */
export function decodeAgentVersion(field: string, version: string): string {
  return decodeText(field, version, { maxBytes: MAX_AGENT_VERSION_BYTES });
}

function serialHexToDecimal(hex: string): string {
  return hex === "" ? "" : BigInt(`0x${hex}`).toString();
}
