import type { Interceptor } from "../../../runtime/rpc/interceptor.ts";
import type { AuditLog } from "../../audit/audit-log.ts";
import { accessError, decideAccess } from "../access.ts";
import { draftOfCall } from "../audit-call.ts";
import type { AgentCaller, Caller } from "../caller.ts";
import type { PolicyOf } from "../methods.ts";

/** Told of each call that an agent may make, before it is made: the first use of a certificate has effects. */
export type AgentSeen = (caller: AgentCaller) => Promise<void>;

/** Refuses callers that the method's row does not allow, and records who tried to change something without the right to. */
export function checkAccess(deps: {
  readonly policyOf: PolicyOf;
  readonly agentSeen: AgentSeen;
  readonly audit: Pick<AuditLog, "event">;
}): Interceptor<Caller> {
  return async (call, next) => {
    const { ctx } = call;
    const policy = deps.policyOf(ctx.method);
    const decision = decideAccess(ctx.caller, policy);
    if (!decision.allowed) {
      const { reason, message } = decision;
      if (policy.audit !== undefined) {
        const draft = draftOfCall(call, policy.audit);
        deps.audit.event({ ...draft, decision: "deny", reasonCode: reason });
      }
      throw accessError(reason, message);
    }
    if (ctx.caller.kind === "agent" && decision.by === "agent") await deps.agentSeen(ctx.caller);
    await next();
  };
}
