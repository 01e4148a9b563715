import { Health } from "../../../proto/gen/grpc/health/v1/health_pb.ts";
import { DelegatedIdentity } from "../../../proto/gen/spire/api/agent/delegatedidentity/v1/delegatedidentity_pb.ts";
import { permissionDenied } from "../../../runtime/errors/status-error.ts";
import type { Interceptor } from "../../../runtime/rpc/interceptor.ts";
import type { Refusals } from "../refusals.ts";
import type { WorkloadPeer } from "../workload-peer.ts";

/** What callers may use who are let in only because they may be delegates. */
const open = [DelegatedIdentity, Health].map(({ typeName }) => `/${typeName}/`);

/** Refuses what the admin socket offers to callers other than administrators, except for what delegates come for. */
export function administratorsOnly(
  adminUids: ReadonlySet<number>,
  refusals: Refusals,
): Interceptor<WorkloadPeer> {
  return async ({ ctx: { method, caller } }, next) => {
    const { pid, uid } = caller.credentials;
    if (!adminUids.has(uid) && !open.some((prefix) => method.startsWith(prefix))) {
      refusals.add({ reason: "not_administrator", pid, uid });
      throw permissionDenied("caller is not an administrator", { reason: "not_administrator" });
    }
    await next();
  };
}
