import { Status, StatusError, statusName } from "../../../runtime/errors/status-error.ts";
import { statusCodeOf } from "../../../runtime/rpc/errors.ts";
import type { Interceptor } from "../../../runtime/rpc/interceptor.ts";
import type { AuditLog, AuditOutcome } from "../../audit/audit-log.ts";
import { draftOfCall } from "../audit-call.ts";
import type { Caller } from "../caller.ts";
import type { PolicyOf } from "../methods.ts";

/**
 * Records calls that change something: before they are made, so that whatever happens next no change is without a record, and
 * again when they have ended.
 */
export function auditChanges(deps: {
  readonly policyOf: PolicyOf;
  readonly audit: Pick<AuditLog, "intent" | "outcome">;
}): Interceptor<Caller> {
  return async (call, next) => {
    const rule = deps.policyOf(call.ctx.method).audit;
    if (rule === undefined || rule.isRecordedWithin === true) {
      await next();
      return;
    }
    const ref = await deps.audit.intent(draftOfCall(call, rule));
    try {
      await next();
    } catch (err) {
      deps.audit.outcome(ref, outcomeOf(err));
      throw err;
    }
    deps.audit.outcome(ref, { decision: "allow" });
  };
}

function outcomeOf(err: unknown): AuditOutcome {
  const code = statusCodeOf(err);
  const reason = err instanceof StatusError ? err.reason : undefined;
  return {
    decision: code === Status.PERMISSION_DENIED ? "deny" : "failed",
    reasonCode: reason ?? statusName(code).toLowerCase(),
  };
}
