import {
  Health,
  HealthCheckResponse_ServingStatus,
} from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";

/** The socket is not there yet at the first calls: the usual pause of a second after one would be most of a start. */
const options = {
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 50,
};

/** A channel to the socket of a process that is about to start. */
export function channelToStarting(socketPath: string): ReturnType<typeof openChannel> {
  return openChannel({ target: `unix:${socketPath}`, options });
}

/** @throws {Error} while the process behind the channel does not say that it serves */
export async function checkHealth(
  channel: ReturnType<typeof openChannel>,
  signal: AbortSignal,
): Promise<void> {
  const { status } = await createClient(Health, channel).check({}, { signal, timeoutMs: 1000 });
  if (status !== HealthCheckResponse_ServingStatus.SERVING) throw new Error("not serving yet");
}
