import type { AuditDraft } from "../../proto/audit/v1/record.ts";
import {
  failedPrecondition,
  internal,
  invalidArgument,
  StatusError,
} from "../../runtime/errors/status-error.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import type { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { type Csr, parseCsr } from "../../spiffe/x509/csr.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { IssuanceCall, IssuedX509Svid } from "../ca/issuance.ts";
import { agentRefused } from "../node-attestation/agent-refusal.ts";
import type { NodeAttestor, NodeIdentity } from "../node-attestation/node-attestor.ts";
import { publicKeyHashOf } from "../node-attestation/public-key-hash.ts";
import type { Store } from "../store/store.ts";
import { type AgentSvidIssuer, unixSeconds } from "./agent-svid.ts";

/** What attesting an agent needs. */
export interface AttestAgentDeps {
  readonly trustDomain: TrustDomain;
  /** By name; those that are offered at this moment. */
  readonly attestors: () => ReadonlyMap<string, NodeAttestor>;
  readonly store: Pick<Store, "read" | "write">;
  readonly issueAgentSvid: AgentSvidIssuer;
  readonly audit: Pick<AuditLog, "event">;
  readonly clock: Clock;
}

/** An agent's request to be attested. */
export interface AttestationRequest {
  /** The attestor's name. */
  readonly type: string;
  readonly payload: Uint8Array;
  readonly csrDer: Uint8Array;
  /** Sends a challenge and resolves with the answer. */
  readonly challenge: (challenge: Uint8Array) => Promise<Uint8Array>;
}

/** What an attested agent gets. */
export interface AttestedAgent {
  readonly svid: IssuedX509Svid;
  readonly canReattest: boolean;
}

/**
 * Attests an agent and issues its SVID: the evidence is judged, a banned agent is turned away, the SVID is signed, and only what is
 * on record when this returns is handed out. Whatever fails after the evidence was accepted may be tried again with it.
 *
 * @throws {StatusError} FAILED_PRECONDITION for an attestor that is not offered, INVALID_ARGUMENT, PERMISSION_DENIED
 */
export async function attestAgent(
  deps: AttestAgentDeps,
  request: AttestationRequest,
  call: { readonly issuance: IssuanceCall; readonly log: Logger },
): Promise<AttestedAgent> {
  const { issuance, log } = call;
  let identity: NodeIdentity | undefined;
  try {
    const attestor = deps.attestors().get(request.type);
    if (attestor === undefined) {
      throw failedPrecondition(
        `node attestor ${JSON.stringify(request.type.slice(0, 64))} is not offered`,
        { reason: "attestor_unknown" },
      );
    }
    const csr = readCsr(request.csrDer);
    const publicKeyHash = publicKeyHashOf(csr.spkiDer);
    identity = await attestor.attest({
      payload: request.payload,
      publicKeyHash,
      challenge: request.challenge,
    });
    checkAgentId(deps.trustDomain, identity);
    await refuseBanned(deps, identity);

    const svid = await deps.issueAgentSvid(issuance, identity.agentId, request.csrDer);
    await record(deps, request.type, identity, svid, publicKeyHash);
    deps.audit.event(attestationRecord(issuance, request.type, identity, "allow"));
    log.info(
      { agent_id: identity.agentId.toString(), attestor: request.type, expires_at: svid.notAfter },
      "Attested agent",
    );
    return { svid, canReattest: identity.canReattest };
  } catch (err) {
    const reason = err instanceof StatusError ? (err.reason ?? "refused") : "internal";
    deps.audit.event({
      ...attestationRecord(issuance, request.type, identity, "deny"),
      reasonCode: reason,
    });
    throw err;
  }
}

function readCsr(csrDer: Uint8Array): Csr {
  try {
    return parseCsr(csrDer);
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw invalidArgument(`csr: ${cause.message}`, { reason: cause.code, cause });
  }
}

// The attestors are ours, but the ID is partly made of what a node brought.
function checkAgentId(trustDomain: TrustDomain, { agentId }: NodeIdentity): void {
  if (!agentId.memberOf(trustDomain) || !agentId.path.startsWith("/spire/agent/")) {
    throw internal("the attestor gave the agent an ID that no agent may have");
  }
}

async function refuseBanned(deps: AttestAgentDeps, { agentId }: NodeIdentity): Promise<void> {
  const found = await deps.store.read("getNode", { id: agentId.toString() });
  if (found?.node.banned !== true) return;
  throw agentRefused("agent_banned", "failed to attest: agent is banned");
}

async function record(
  deps: AttestAgentDeps,
  attestationType: string,
  { agentId, selectors, canReattest }: NodeIdentity,
  svid: IssuedX509Svid,
  publicKeyHash: string,
): Promise<void> {
  await deps.store.write("recordAttestation", {
    id: agentId.toString(),
    attestationType,
    serial: svid.serialNumberHex,
    expiresAt: unixSeconds(svid.notAfter),
    publicKeyHash,
    selectors,
    canReattest,
    now: unixSeconds(deps.clock.now()),
  });
}

function attestationRecord(
  issuance: IssuanceCall,
  type: string,
  identity: NodeIdentity | undefined,
  decision: "allow" | "deny",
): AuditDraft {
  const id = identity?.agentId.toString();
  return {
    action: "agent.attest",
    requestId: issuance.requestId,
    source: issuance.source,
    actors: issuance.auditActors,
    decision,
    ...(id === undefined ? {} : { subject: { kind: "node", id, podUid: null, node: null } }),
    details: {
      attestor: type.slice(0, 64),
      selectors: identity?.selectors.map(({ type, value }) => `${type}:${value}`) ?? [],
    },
  };
}
