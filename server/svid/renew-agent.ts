import { invalidArgument } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { parseCsr } from "../../spiffe/x509/csr.ts";
import type { IssuanceCall, IssuedX509Svid } from "../ca/issuance.ts";
import { agentRefused } from "../node-attestation/agent-refusal.ts";
import { publicKeyHashOf } from "../node-attestation/public-key-hash.ts";
import type { AttestedNodeRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { type AgentSvidIssuer, unixSeconds } from "./agent-svid.ts";

/** What renewing an agent's SVID needs. */
export interface RenewAgentDeps {
  readonly store: Pick<Store, "read" | "write">;
  readonly issueAgentSvid: AgentSvidIssuer;
  /** How long after its end an SVID may be renewed, in milliseconds. */
  readonly renewGrace: () => number;
  readonly clock: Clock;
}

/** The certificate that the agent came with. The handshake proved that it holds the key. */
export interface RenewingAgent {
  readonly id: string;
  readonly serialNumber: string;
  readonly publicKeyHash: string;
}

/**
 * Issues the next SVID of an agent that is known. The one in use stays valid until the new one is used for the first time, so that
 * a lost answer costs nothing. An SVID that has run out is renewed within the time of grace, because no server could be reached:
 * its key is pinned, and the agent has proved that it holds it.
 *
 * @throws {StatusError} PERMISSION_DENIED with the detail by which agents know what to do
 */
export async function renewAgent(
  deps: RenewAgentDeps,
  agent: RenewingAgent,
  csrDer: Uint8Array,
  issuance: IssuanceCall,
): Promise<IssuedX509Svid> {
  const csrKeyHash = csrKeyHashOf(csrDer);
  const found = await deps.store.read("getNode", { id: agent.id });
  checkRenewal(deps, agent, found?.node);

  const svid = await deps.issueAgentSvid(issuance, SpiffeId.parse(agent.id), csrDer);
  await deps.store.write("recordNodeRenewal", {
    id: agent.id,
    newSerial: svid.serialNumberHex,
    newExpiresAt: unixSeconds(svid.notAfter),
    newPublicKeyHash: csrKeyHash,
  });
  return svid;
}

function csrKeyHashOf(csrDer: Uint8Array): string {
  try {
    return publicKeyHashOf(parseCsr(csrDer).spkiDer);
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw invalidArgument(`csr: ${cause.message}`, { reason: cause.code, cause });
  }
}

function checkRenewal(
  deps: RenewAgentDeps,
  agent: RenewingAgent,
  node: AttestedNodeRecord | undefined,
): void {
  if (node === undefined) throw agentRefused("agent_not_attested", "agent is not attested");
  if (node.banned) throw agentRefused("agent_banned", "agent is banned");
  if (node.canReattest) {
    throw agentRefused("agent_must_reattest", "agent must attest again instead of renewing");
  }
  const isCurrent =
    agent.serialNumber === node.serial && agent.publicKeyHash === node.publicKeyHash;
  const isNext =
    agent.serialNumber === node.newSerial && agent.publicKeyHash === node.newPublicKeyHash;
  if (!isCurrent && !isNext) {
    throw agentRefused("agent_not_active", "agent SVID is not the active one");
  }
  const expiresAt = isCurrent ? node.expiresAt : node.newExpiresAt;
  const lapsedMs = deps.clock.now().getTime() - expiresAt * 1000;
  if (lapsedMs > deps.renewGrace()) {
    throw agentRefused("agent_expired", "agent SVID has expired, and the time to renew it is over");
  }
}
