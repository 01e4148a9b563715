import { create } from "@bufbuild/protobuf";
import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { type Agent, AgentSchema } from "../gen/spire/api/types/agent_pb.ts";
import type { Selector } from "../selector.ts";
import { decodeText, decodeUnixSeconds, encodeUnixSeconds } from "./field.ts";
import { decodeSpiffeId, encodeSpiffeId } from "./id.ts";
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
 * Reads an agent that a server answered with.
 *
 * @throws {StatusError} INVALID_ARGUMENT when a field is not valid
 */
export function decodeAgent(field: string, message: Agent): AgentFields {
  return {
    id: decodeSpiffeId(`${field}.id`, message.id),
    attestationType: message.attestationType,
    serialNumberHex: serialDecimalToHex(message.x509svidSerialNumber),
    expiresAt: decodeUnixSeconds(`${field}.x509svid_expires_at`, message.x509svidExpiresAt),
    selectors: message.selectors.map(({ type, value }) => ({ type, value })),
    banned: message.banned,
    canReattest: message.canReattest,
    agentVersion: message.agentVersion,
  };
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

// A serial number has at most 20 octets (RFC 5280 4.1.2.2), hence 49 digits.
function serialDecimalToHex(decimal: string): string {
  if (!/^\d{1,49}$/.test(decimal)) return "";
  const hex = BigInt(decimal).toString(16);
  return hex.length % 2 === 0 ? hex : `0${hex}`;
}
