import { SpiffeWorkloadAPI } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { invalidArgument } from "../../runtime/errors/status-error.ts";
import type { Interceptor } from "../../runtime/rpc/interceptor.ts";

const header = "workload.spiffe.io";
const prefix = `/${SpiffeWorkloadAPI.typeName}/`;

/**
 * Refuses calls of the Workload API that do not carry the security header exactly once and exactly so
 * (Workload Endpoint 3): a page in a browser, or a proxy that was talked into a request, does not.
 * Health and reflection need no header.
 */
export const requireSecurityHeader: Interceptor = async ({ ctx }, next) => {
  if (ctx.method.startsWith(prefix)) {
    const values = ctx.metadata.get(header) ?? [];
    if (values.length !== 1 || values[0] !== "true") {
      throw invalidArgument("security header missing from request", {
        reason: "security_header_missing",
      });
    }
  }
  await next();
};
