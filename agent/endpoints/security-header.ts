import type { DescService } from "@bufbuild/protobuf";
import { SpiffeWorkloadAPI } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { invalidArgument } from "../../runtime/errors/status-error.ts";
import type { Interceptor } from "../../runtime/rpc/interceptor.ts";

/**
 * Refuses calls of a service that do not carry its security header exactly once and exactly so (Workload Endpoint 3, Broker
 * Endpoint 3): a page in a browser, or a proxy that was talked into a request, does not. Health and reflection need no header.
 */
export function requireHeader(header: string, { typeName }: DescService): Interceptor {
  const prefix = `/${typeName}/`;
  return async ({ ctx }, next) => {
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
}

/** The header of the Workload API. */
export const WORKLOAD_HEADER = "workload.spiffe.io";

/** The same for the Workload API. */
export const requireSecurityHeader: Interceptor = requireHeader(WORKLOAD_HEADER, SpiffeWorkloadAPI);
