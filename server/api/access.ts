import {
  permissionDenied,
  type StatusError,
  unauthenticated,
} from "../../runtime/errors/status-error.ts";
import { ROLES } from "../config/roles.ts";
import {
  type AgentRefusal,
  agentRefused,
  isAgentRefusal,
} from "../node-attestation/agent-refusal.ts";
import type { AgentStanding } from "../node-attestation/agent-standing.ts";
import { type Caller, nameOfCaller } from "./caller.ts";
import type { Allowed, MethodPolicy } from "./methods.ts";

/** Whether a call may be made, and by which row of the table or why not. */
export type AccessDecision =
  | { readonly allowed: true; readonly by: Allowed }
  | { readonly allowed: false; readonly reason: AccessReason; readonly message: string };

/** Why a call may not be made. */
export type AccessReason =
  | AgentRefusal
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
    case "registrar":
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

/** The refusal as the caller gets it. */
export function accessError(reason: AccessReason, message: string): StatusError {
  if (reason === "unauthenticated") return unauthenticated(message, { reason });
  if (isAgentRefusal(reason)) return agentRefused(reason, message);
  return permissionDenied(message, { reason });
}
