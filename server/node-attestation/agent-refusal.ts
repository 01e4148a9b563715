import { agentDenied } from "../../proto/convert/status.ts";
import { PermissionDeniedDetails_Reason as Reason } from "../../proto/gen/spire/api/types/status_pb.ts";
import type { StatusError } from "../../runtime/errors/status-error.ts";

/** Why an agent is refused, in a form that agents of every make act upon. */
export type AgentRefusal =
  | "agent_expired"
  | "agent_not_attested"
  | "agent_not_active"
  | "agent_banned"
  | "agent_must_reattest";

const DETAILS: Readonly<Record<AgentRefusal, Reason>> = {
  agent_expired: Reason.AGENT_EXPIRED,
  agent_not_attested: Reason.AGENT_NOT_ATTESTED,
  agent_not_active: Reason.AGENT_NOT_ACTIVE,
  agent_banned: Reason.AGENT_BANNED,
  agent_must_reattest: Reason.AGENT_MUST_REATTEST,
};

/** Whether a reason is one that agents act upon. */
export function isAgentRefusal(reason: string): reason is AgentRefusal {
  return Object.hasOwn(DETAILS, reason);
}

/** The refusal with its detail: text alone would leave an agent in the dark about what to do. */
export function agentRefused(reason: AgentRefusal, message: string): StatusError {
  return agentDenied(DETAILS[reason], message, { reason });
}
