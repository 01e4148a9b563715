import {
  type Health,
  HealthCheckResponse_ServingStatus as Serving,
} from "../../proto/gen/grpc/health/v1/health_pb.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { Handlers } from "../../runtime/rpc/service.ts";
import type { ViewStatus, WorkloadViews } from "../cache/workload-view.ts";

/** gRPC health of the workload socket: serving as soon as callers are answered from a complete view. */
export function endpointHealth(
  views: Pick<WorkloadViews, "status">,
): Handlers<typeof Health, unknown> {
  return {
    check: async () => ({ status: statusOf(views.status.value) }),
    list: async () => ({ statuses: { "": { status: statusOf(views.status.value) } } }),
    watch: (_request, call) => watch(views, call),
  };
}

async function* watch(
  views: Pick<WorkloadViews, "status">,
  call: CallContext,
): AsyncGenerator<{ status: Serving }> {
  let last: Serving | undefined;
  for await (const view of views.status.subscribe(call.signal)) {
    const status = statusOf(view);
    if (status !== last) yield { status };
    last = status;
  }
}

function statusOf({ serving }: ViewStatus): Serving {
  return serving === "ready" ? Serving.SERVING : Serving.NOT_SERVING;
}
