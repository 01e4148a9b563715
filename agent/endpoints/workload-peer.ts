import type { PeerCredentials } from "../../runtime/peer/credentials.ts";

/** Who is on the other end of a connection to the workload socket, known by the kernel. */
export interface WorkloadPeer {
  readonly credentials: PeerCredentials;
  /** UID of the pod whose own socket this is; absent for the socket that all share. */
  readonly socketPod?: string | undefined;
  /** See caller-limits.ts. */
  readonly limitKey: string;
}
