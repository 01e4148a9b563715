import type { PeerCredentials } from "./credentials.ts";
import { readStartTime } from "./pid-fd.ts";

/**
 * Whether the process that connected still runs, and its PID still means it. Ask again after facts were read by PID (from /proc,
 * the kubelet, a runtime): only if the answer is yes did they belong to the caller. False once the connection is closed, and
 * wherever it cannot be known.
 */
export function isSameProcess(peer: PeerCredentials): boolean {
  if (peer.pidfd?.isAlive() !== true) return false;
  // A handle that was opened by PID may have been opened too late: then the start time tells.
  return peer.startTime === undefined || readStartTime(peer.pid) === peer.startTime;
}
