import { SpiffeWorkloadAPI } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";

/**
 * Asks the Workload API once, as this process: the SPIFFE IDs of its X509-SVIDs, none when it has no identity.
 *
 * @throws {StatusError} any other refusal, among them UNAVAILABLE before the agent has attested
 */
export async function fetchIds(
  socketPath: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const channel = openChannel({ target: `unix:${socketPath}` });
  try {
    const call = createClient(SpiffeWorkloadAPI, channel).fetchX509SVID(
      {},
      { signal, timeoutMs: 5000, metadata: { "workload.spiffe.io": "true" } },
    );
    for await (const { svids } of call) return svids.map(({ spiffeId }) => spiffeId);
    return [];
  } catch (error) {
    if (error instanceof StatusError && error.code === Status.PERMISSION_DENIED) return [];
    throw error;
  } finally {
    channel.close();
  }
}
