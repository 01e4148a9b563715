import { statusName } from "../errors/status-error.ts";
import type { Metrics } from "../metrics.ts";
import type { Clock } from "../time/clock.ts";
import { statusCodeOf } from "./errors.ts";
import type { Interceptor } from "./interceptor.ts";

/**
 * An interceptor that counts and times the calls of every method: `<prefix>_rpc_calls_total{method,code}`,
 * `<prefix>_rpc_duration_seconds{method}` for unary calls, whose time is ours, and `<prefix>_rpc_streams{method}` for the others,
 * whose time is their caller's. Only methods that exist become labels.
 */
export function measureCalls(
  metrics: Metrics,
  prefix: `assay_${string}`,
  clock: Clock,
): Interceptor {
  const calls = metrics.counter(`${prefix}_rpc_calls_total`, "Calls ended, by status.", [
    "method",
    "code",
  ]);
  const duration = metrics.histogram(`${prefix}_rpc_duration_seconds`, "Time of unary calls.", [
    "method",
  ]);
  const streams = metrics.gauge(`${prefix}_rpc_streams`, "Streaming calls under way.", ["method"]);
  return async ({ ctx, method: { methodKind } }, next) => {
    const { method } = ctx;
    const startMs = clock.monotonicMs();
    let code = 0;
    if (methodKind !== "unary") streams.inc({ method });
    try {
      await next();
    } catch (err) {
      code = statusCodeOf(err);
      throw err;
    } finally {
      calls.inc({ method, code: statusName(code) });
      if (methodKind === "unary")
        duration.observe({ method }, (clock.monotonicMs() - startMs) / 1000);
      else streams.dec({ method });
    }
  };
}
