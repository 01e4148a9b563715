import type { Interceptor } from "../../../runtime/rpc/interceptor.ts";
import { type Caller, limitKeyOfCaller } from "../caller.ts";
import type { PolicyOf } from "../methods.ts";
import type { RateLimiter } from "../rate-limit.ts";

/** Refuses callers that have used up what they may. Batches count by their size where the method's row says so. */
export function limitRate(deps: {
  readonly policyOf: PolicyOf;
  readonly limiter: RateLimiter;
}): Interceptor<Caller> {
  return async ({ ctx, request }, next) => {
    const policy = deps.policyOf(ctx.method);
    const count = request === undefined ? 1 : Math.max(1, policy.cost?.(request as never) ?? 1);
    deps.limiter.take(limitKeyOfCaller(ctx.caller), policy.limit, count);
    await next();
  };
}
