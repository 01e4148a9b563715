import type { SpiffeId } from "../../../spiffe/id/spiffe-id.ts";
import type { WorkloadPeer } from "../workload-peer.ts";

/** Who is on the other end of a connection to the broker socket. */
export interface BrokerPeer extends WorkloadPeer {
  /** From its X509-SVID, verified. */
  readonly id: SpiffeId;
}
