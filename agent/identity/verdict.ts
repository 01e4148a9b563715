import { agentDenialReason } from "../../proto/convert/status.ts";
import { PermissionDeniedDetails_Reason as Reason } from "../../proto/gen/spire/api/types/status_pb.ts";
import { StatusError } from "../../runtime/errors/status-error.ts";

/**
 * What the server says of this agent's standing when it refuses a call: `banned`, or one of those after which the agent may
 * come back by attesting again.
 */
export type Verdict = "expired" | "not_attested" | "not_active" | "banned" | "must_reattest";

/**
 * Reads the verdict from a failed call; undefined when the failure says nothing of the agent's standing. Only the typed detail
 * counts, never the text.
 */
export function readVerdict(err: unknown): Verdict | undefined {
  const reason = err instanceof StatusError ? agentDenialReason(err) : undefined;
  return reason === undefined ? undefined : verdictOf(reason);
}

function verdictOf(reason: Reason): Verdict | undefined {
  switch (reason) {
    case Reason.AGENT_EXPIRED:
      return "expired";
    case Reason.AGENT_NOT_ATTESTED:
      return "not_attested";
    case Reason.AGENT_NOT_ACTIVE:
      return "not_active";
    case Reason.AGENT_BANNED:
      return "banned";
    case Reason.AGENT_MUST_REATTEST:
      return "must_reattest";
    default:
      return undefined;
  }
}
