/**
 * What the kernel says about a calling process. Everything here comes from the socket's credentials
 * and from /proc; nothing comes from the process itself.
 *
 * Threat: between the accept and the read of /proc the process may end and its PID may be given to
 * another one. Whoever uses these facts must ask afterwards whether the caller is still the same
 * process; see attest.ts.
 */
import { readFileSync } from "node:fs";
import type { PeerCredentials } from "../../runtime/peer/credentials.ts";
import { parseStartTime } from "../../runtime/peer/pid-fd.ts";
import { type CgroupFacts, cgroupPaths, parseCgroup } from "./cgroup.ts";

export interface ProcessFacts {
  readonly pid: number;
  /** Effective IDs of the process when it connected, from the socket. */
  readonly uid: number;
  readonly gid: number;
  readonly supplementaryGids: readonly number[];
  readonly cgroup: CgroupFacts;
  /** Of every hierarchy. */
  readonly cgroupPaths: readonly string[];
  /** In clock ticks since boot: with the PID it names one process. */
  readonly startTime: string;
  /** Milliseconds since the process started, at the time of asking. */
  readonly ageMs: number;
  /** The /proc directory of the process. */
  readonly procDir: string;
}

/** The kernel reports times in /proc in this unit on every Linux that Node supports (sysconf _SC_CLK_TCK). */
const ticksPerSecond = 100;

/**
 * Reads the facts of a connected process.
 *
 * @throws {Error} when the process is gone, or is outside the PID namespace of this process
 */
export function readProcessFacts(peer: PeerCredentials, procRoot: string = "/proc"): ProcessFacts {
  if (peer.pid <= 0) throw new Error("the caller is outside this agent's PID namespace");
  const procDir = `${procRoot}/${peer.pid}`;
  const startTime = parseStartTime(readFileSync(`${procDir}/stat`, "utf8"));
  if (startTime === undefined) throw new Error("stat has no start time");
  const cgroup = readFileSync(`${procDir}/cgroup`, "utf8");
  return {
    pid: peer.pid,
    uid: peer.uid,
    gid: peer.gid,
    supplementaryGids: groupsOf(readFileSync(`${procDir}/status`, "utf8")),
    cgroup: parseCgroup(cgroup),
    cgroupPaths: cgroupPaths(cgroup),
    startTime,
    // Asked for only where somebody has to wait.
    get ageMs() {
      const uptime = readFileSync(`${procRoot}/uptime`, "utf8").split(" ", 1)[0];
      return Math.max(0, (Number(uptime) - Number(startTime) / ticksPerSecond) * 1000);
    },
    procDir,
  };
}

/** The cgroup path of a process, "/" when it cannot be read: for limits, where being wrong is no harm. */
export function readCgroupPath(pid: number, procRoot: string = "/proc"): string {
  try {
    return parseCgroup(readFileSync(`${procRoot}/${pid}/cgroup`, "utf8")).path;
  } catch {
    return "/";
  }
}

/**
 * The owner of a process that did not connect, for explanations only: effective IDs from its status.
 *
 * @throws {Error} when the process is gone
 */
export function processOwner(
  pid: number,
  procRoot: string = "/proc",
): { readonly uid: number; readonly gid: number } {
  const status = readFileSync(`${procRoot}/${pid}/status`, "utf8");
  return { uid: effectiveId("Uid", status), gid: effectiveId("Gid", status) };
}

/** The second of the four IDs of a line in proc_pid_status(5). */
function effectiveId(name: "Uid" | "Gid", status: string): number {
  const id = new RegExp(`^${name}:\\s+\\d+\\s+(\\d+)`, "m").exec(status)?.[1];
  if (id === undefined) throw new Error(`status has no ${name}`);
  return Number(id);
}

function groupsOf(status: string): number[] {
  const line = /^Groups:([\t \d]*)$/m.exec(status)?.[1];
  if (line === undefined) throw new Error("status has no groups");
  return line.split(/\s+/).filter(Boolean).map(Number);
}
