import { agentDenied } from "../../proto/convert/status.ts";
import { PermissionDeniedDetails_Reason as Reason } from "../../proto/gen/spire/api/types/status_pb.ts";
import {
  permissionDenied,
  type StatusError,
  unauthenticated,
} from "../../runtime/errors/status-error.ts";
import { ROLES } from "../config/roles.ts";
import type { AgentStanding } from "../node-attestation/agent-standing.ts";
import { type Caller, nameOfCaller } from "./caller.ts";
import type { Allowed, MethodPolicy } from "./methods.ts";

/** Whether a call may be made, and by which row of the table or why not. */
export type AccessDecision =
  | { readonly allowed: true; readonly by: Allowed }
  | { readonly allowed: false; readonly reason: AccessReason; readonly message: string };

/** Why a call may not be made. The first five are told to agents in a form that stock agents act upon. */
export type AccessReason =
  | "agent_expired"
  | "agent_not_attested"
  | "agent_not_active"
  | "agent_banned"
  | "agent_must_reattest"
  | "no_role"
  | "agents_only"
  | "downstream_only"
  | "not_for_agents"
  | "unauthenticated";

/** Decides whether a caller may call a method. Whatever is not allowed by a row is denied. Reads no state. */
export function decideAccess(caller: Caller, policy: MethodPolicy): AccessDecision {
  if (policy.allow.includes("anyone")) return { allowed: true, by: "anyone" };
  switch (caller.kind) {
    case "local":
      return decideByRoles(caller.grants.roles, policy, `${nameOfCaller(caller)} has`);
    case "identity":
      if (caller.downstreamEntryId !== undefined && policy.allow.includes("downstream")) {
        return { allowed: true, by: "downstream" };
      }
      return decideByRoles(caller.grants.roles, policy, "this identity has");
    case "agent":
      if (!policy.allow.includes("agent")) {
        return deny("not_for_agents", "agents may not call this method");
      }
      return decideByStanding(caller.standing, policy);
    case "anonymous":
      return deny("unauthenticated", "this method needs a client certificate");
  }
}

function decideByRoles(
  roles: ReadonlySet<string>,
  policy: MethodPolicy,
  whoHas: string,
): AccessDecision {
  const by = policy.allow.find((allowed) => roles.has(allowed));
  if (by !== undefined) return { allowed: true, by };
  const wanted = policy.allow.filter((allowed) => isRole(allowed));
  if (wanted.length > 0) return deny("no_role", `${whoHas} none of the roles ${wanted.join(", ")}`);
  return policy.allow.includes("downstream")
    ? deny("downstream_only", "only nested servers may call this method")
    : deny("agents_only", "only agents may call this method");
}

function isRole(allowed: Allowed): boolean {
  return ROLES.some((role) => role === allowed);
}

function decideByStanding(standing: AgentStanding, policy: MethodPolicy): AccessDecision {
  switch (standing) {
    case "current":
    case "next":
      return { allowed: true, by: "agent" };
    case "expired":
      if (policy.allow.includes("lapsed_agent")) return { allowed: true, by: "lapsed_agent" };
      return deny("agent_expired", "agent SVID has expired");
    case "unknown":
      return deny("agent_not_attested", "agent is not attested");
    case "superseded":
      return deny("agent_not_active", "agent SVID is not the active one");
    case "banned":
      return deny("agent_banned", "agent is banned");
  }
}

function deny(reason: AccessReason, message: string): AccessDecision {
  return { allowed: false, reason, message };
}

/** The refusal as the caller gets it, with the detail that agents act upon. */
export function accessError(reason: AccessReason, message: string): StatusError {
  if (reason === "unauthenticated") return unauthenticated(message, { reason });
  const agentReason = AGENT_REASONS[reason];
  return agentReason === undefined
    ? permissionDenied(message, { reason })
    : agentDenied(agentReason, message, { reason });
}

const AGENT_REASONS: Partial<Record<AccessReason, Reason>> = {
  agent_expired: Reason.AGENT_EXPIRED,
  agent_not_attested: Reason.AGENT_NOT_ATTESTED,
  agent_not_active: Reason.AGENT_NOT_ACTIVE,
  agent_banned: Reason.AGENT_BANNED,
  agent_must_reattest: Reason.AGENT_MUST_REATTEST,
};
