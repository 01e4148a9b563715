import type { Socket } from "node:net";
import { openDarwinReader } from "./darwin.ts";
import { openLinuxReader } from "./linux.ts";
import { PeerGoneError } from "./peer-gone-error.ts";
import type { PidFd } from "./pid-fd.ts";

/**
 * The process on the other end of a Unix socket as the kernel noted it when it connected. Nothing in it can be chosen by that
 * process, except by being started so.
 */
export interface PeerCredentials {
  /** In our PID namespace; 0 if the process is in none that we can see. */
  readonly pid: number;
  /** Effective IDs at the time of connecting. */
  readonly uid: number;
  readonly gid: number;
  /** A handle on the process, on Linux. It is closed with the connection. */
  readonly pidfd?: PidFd;
  /** Start time in clock ticks since boot, where the handle alone does not prove that it is the process that connected. */
  readonly startTime?: string;
}

/** Asks the kernel who is on the other end of connected Unix sockets. */
export interface PeerReader {
  /**
   * Whether the answer is about the process that connected, however long the connection waited before it was accepted. Without
   * that, another process may have got its PID meanwhile.
   */
  readonly knowsThoseWhoWaited: boolean;
  /**
   * @param fd file descriptor of a connected Unix socket
   * @throws {PeerGoneError} if the process has ended
   */
  read(fd: number): PeerCredentials;
  /**
   * A handle on a process that did not connect, so that it can be told from a later one with its PID. Absent where the system
   * has none.
   *
   * @throws {PeerGoneError} if there is no such process
   */
  open?(pid: number): ProcessHandle;
}

/** See {@link PeerCredentials.pidfd} and {@link PeerCredentials.startTime}. The handle is the caller's to close. */
export interface ProcessHandle {
  readonly pidfd: PidFd;
  readonly startTime: string;
}

/**
 * Opens the reader of this platform.
 *
 * @throws {Error} where the kernel's answer cannot be had: without it a caller would be whoever it says it is
 */
export function openPeerReader(platform: NodeJS.Platform = process.platform): PeerReader {
  switch (platform) {
    case "linux":
      return openLinuxReader();
    case "darwin":
      return openDarwinReader();
    default:
      throw new Error(`finding out who calls on a unix socket is not supported on ${platform}`);
  }
}

/**
 * The file descriptor of a connected socket. Node keeps it in a handle that has no public name.
 *
 * @throws {PeerGoneError} if the socket is closed
 */
export function fileDescriptor(socket: Socket): number {
  const handle: unknown = "_handle" in socket ? socket._handle : undefined;
  if (typeof handle === "object" && handle !== null && "fd" in handle) {
    const { fd } = handle;
    if (typeof fd === "number" && fd >= 0) return fd;
  }
  throw new PeerGoneError("socket is closed");
}
