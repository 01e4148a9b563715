import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { IssuanceCall, IssuedX509Svid, Issuer } from "../ca/issuance.ts";

/** Issues the SVID of an agent for the key of a CSR. */
export type AgentSvidIssuer = (
  call: IssuanceCall,
  agentId: SpiffeId,
  csrDer: Uint8Array,
) => Promise<IssuedX509Svid>;

/** @throws {StatusError} from the issuer, when the CSR or the agent is refused */
export function agentSvidIssuer(issuer: Pick<Issuer, "signX509Svids">): AgentSvidIssuer {
  return async (call, agentId, csrDer) => {
    const order = {
      profile: "x509_agent",
      spiffeId: agentId,
      dnsNames: [],
      csrDer,
      auditSubject: { kind: "node", id: agentId.toString(), podUid: null, node: null },
    } as const;
    const [result] = await issuer.signX509Svids(call, [order]);
    if (result === undefined) throw new Error("the issuer gave no result");
    if (!result.issued) throw result.error;
    return result.svid;
  };
}

/** An instant as the store has it. */
export function unixSeconds(instant: Date): number {
  return Math.floor(instant.getTime() / 1000);
}
