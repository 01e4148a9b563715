import {
  Health as HealthDesc,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { notFound } from "../../runtime/errors/status-error.ts";
import type { Health } from "../../runtime/health.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Caller } from "./caller.ts";

const WATCH_MS = 1_000;

/** grpc.health.v1.Health. There is one state, that of the whole server, under the empty name. */
export function healthService(deps: {
  readonly health: Health;
  readonly clock: Clock;
}): Registration<Caller> {
  const status = async (): Promise<ServingStatus> => {
    const { state } = await deps.health.ready();
    return state === "failed" ? ServingStatus.NOT_SERVING : ServingStatus.SERVING;
  };
  return service(HealthDesc, {
    check: async (request) => {
      if (request.service !== "") throw notFound("unknown service");
      return { status: await status() };
    },

    list: async () => ({ statuses: { "": { status: await status() } } }),

    watch: async function* (request, ctx) {
      let told: ServingStatus | undefined;
      while (!ctx.signal.aborted) {
        const now = request.service === "" ? await status() : ServingStatus.SERVICE_UNKNOWN;
        if (now !== told) yield { status: now };
        told = now;
        await deps.clock.sleep(WATCH_MS, ctx.signal);
      }
    },
  });
}
