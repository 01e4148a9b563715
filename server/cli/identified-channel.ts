/** A channel to a server's network address, with the caller's X509-SVID. */
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";
import { matchId } from "../../spiffe/id/matcher.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { grpcChannelCredentials } from "../../spiffe/tls/grpc.ts";
import { X509Source } from "../../spiffe/workloadapi/x509-source.ts";
import type { ServiceChannel } from "./server-channel.ts";

/**
 * @param address "host:port"
 * @param endpoint the Workload API that the identity comes from
 * @param signal ends the wait for an identity
 */
export async function openIdentifiedChannel(
  address: string,
  endpoint: string,
  signal: AbortSignal,
): Promise<ServiceChannel> {
  const source = await X509Source.open({ address: endpoint, signal });
  const serverId = SpiffeId.fromPath(source.x509Svid().id.trustDomain, "/spire/server");
  const channel = openChannel({
    target: `dns:${address}`,
    credentials: grpcChannelCredentials({
      svid: source,
      bundles: source,
      authorize: matchId(serverId),
    }),
    // By itself gRPC waits up to two minutes: a server that is back, or a new SVID, would be noticed as late as that.
    options: { "grpc.initial_reconnect_backoff_ms": 250, "grpc.max_reconnect_backoff_ms": 5_000 },
  });
  return {
    client: (service) => createClient(service, channel),
    [Symbol.asyncDispose]: async () => {
      channel.close();
      await source[Symbol.asyncDispose]();
    },
  };
}
