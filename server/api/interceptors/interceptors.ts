import type { Metrics } from "../../../runtime/metrics.ts";
import type { Interceptor } from "../../../runtime/rpc/interceptor.ts";
import { measureCalls } from "../../../runtime/rpc/rpc-metrics.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import type { AuditLog } from "../../audit/audit-log.ts";
import type { Caller } from "../caller.ts";
import { policyOf } from "../methods.ts";
import type { RateLimiter } from "../rate-limit.ts";
import { auditChanges } from "./audit-changes.ts";
import { type AgentSeen, checkAccess } from "./check-access.ts";
import { limitRate } from "./limit-rate.ts";
import { logCalls } from "./log-calls.ts";

/** What the interceptors need. */
export interface InterceptorDeps {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly limiter: RateLimiter;
  readonly audit: AuditLog;
  readonly agentSeen: AgentSeen;
}

/**
 * What every call goes through, in this order: it is logged and counted whatever becomes of it; a caller without the right is
 * turned away before it costs anything; one with the right is held to its rate; and only what will really be tried leaves an
 * intent in the audit.
 */
export function interceptors(deps: InterceptorDeps): readonly Interceptor<Caller>[] {
  return [
    logCalls(deps),
    measureCalls(deps.metrics, "assay_server", deps.clock),
    checkAccess({ ...deps, policyOf }),
    limitRate({ ...deps, policyOf }),
    auditChanges({ ...deps, policyOf }),
  ];
}
