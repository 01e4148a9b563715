import { Status, statusName } from "../../../runtime/errors/status-error.ts";
import { statusCodeOf } from "../../../runtime/rpc/errors.ts";
import type { Interceptor } from "../../../runtime/rpc/interceptor.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { type Caller, nameOfCaller } from "../caller.ts";

/** Logs each call when it is over, at debug: whoever asks for the wrong thing must not fill the log. */
export function logCalls(deps: { readonly clock: Clock }): Interceptor<Caller> {
  return async ({ ctx }, next) => {
    const startMs = deps.clock.monotonicMs();
    let code: number = Status.OK;
    try {
      await next();
    } catch (err) {
      code = statusCodeOf(err);
      throw err;
    } finally {
      if (ctx.log.level === "debug") {
        ctx.log.debug(
          {
            caller_id: nameOfCaller(ctx.caller),
            status_code: statusName(code),
            duration_ms: Math.round((deps.clock.monotonicMs() - startMs) * 10) / 10,
          },
          "Served call",
        );
      }
    }
  };
}
