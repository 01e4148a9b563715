import { closeSync } from "node:fs";
import koffi from "koffi";
import type { PeerReader, ProcessHandle } from "./credentials.ts";
import { PeerGoneError } from "./peer-gone-error.ts";
import { PidFd, readStartTime } from "./pid-fd.ts";

// The same on x64 and arm64: asm-generic/socket.h, asm-generic/errno.h, asm-generic/unistd.h.
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2_000_000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERPIDFD = 77;
const EINTR = 4;
const ENOPROTOOPT = 92;
const SYS_PIDFD_OPEN = 434;
const POLLIN = 1;

/** struct ucred: pid, uid, gid, of four bytes each. */
const UCRED_BYTES = 12;

/**
 * Reads SO_PEERCRED and SO_PEERPIDFD (unix(7)). A kernel before 6.5 has no SO_PEERPIDFD; there the process is opened by its PID,
 * and its start time taken as well.
 *
 * @param o.hasPeerPidFd false to do as if the kernel were older
 */
export function openLinuxReader(o: { readonly hasPeerPidFd?: boolean } = {}): PeerReader {
  const libc = koffi.load(null);
  const getsockopt = libc.func(
    "int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint8_t *length)",
  );
  const syscall = libc.func("long syscall(long number, ...)");
  const poll = libc.func("int poll(_Inout_ uint8_t *fds, unsigned long count, int timeout)");

  const readOption = (fd: number, name: number, bytes: number): Buffer | number => {
    const value = Buffer.alloc(bytes);
    const length = Buffer.alloc(4);
    length.writeInt32LE(bytes);
    return getsockopt(fd, SOL_SOCKET, name, value, length) === 0 ? value : koffi.errno();
  };

  // One for all questions, because none of them waits: struct pollfd with room for the answer.
  const request = Buffer.alloc(8);
  /** Whether the process has ended; whoever waits for it may not have fetched its exit code yet. */
  const hasEnded = (pidfd: number): boolean => {
    request.writeInt32LE(pidfd);
    request.writeInt32LE(POLLIN, 4);
    for (;;) {
      const ready = poll(request, 1, 0);
      // A signal of ours interrupts the question although it waits for nothing, and is no answer.
      if (ready >= 0 || koffi.errno() !== EINTR) return ready !== 0;
    }
  };

  const openProcess = (pid: number): ProcessHandle => {
    const startTime = readStartTime(pid);
    const opened = Number(syscall(SYS_PIDFD_OPEN, "int", pid, "unsigned int", 0));
    if (startTime === undefined || opened < 0) {
      if (opened >= 0) closeSync(opened);
      throw new PeerGoneError("process has ended");
    }
    return { pidfd: new PidFd(opened, hasEnded), startTime };
  };

  const hasPeerPidFd = o.hasPeerPidFd !== false && kernelHasPeerPidFd(libc, readOption);
  return {
    knowsThoseWhoWaited: hasPeerPidFd,
    read(fd) {
      const cred = readOption(fd, SO_PEERCRED, UCRED_BYTES);
      if (typeof cred === "number") throw new Error(`reading peer credentials: errno ${cred}`);
      const [pid, uid, gid] = [cred.readInt32LE(0), cred.readUInt32LE(4), cred.readUInt32LE(8)];
      const pidfd = hasPeerPidFd ? readOption(fd, SO_PEERPIDFD, 4) : ENOPROTOOPT;
      if (typeof pidfd !== "number") {
        return { pid, uid, gid, pidfd: new PidFd(pidfd.readInt32LE(), hasEnded) };
      }
      if (pidfd !== ENOPROTOOPT) throw new PeerGoneError("calling process has ended");
      return { pid, uid, gid, ...(pid > 0 ? openProcess(pid) : {}) };
    },
    open: openProcess,
  };
}

type ReadOption = (fd: number, name: number, bytes: number) => Buffer | number;

/** Asks for the option on a connection of our own. */
function kernelHasPeerPidFd(libc: ReturnType<typeof koffi.load>, readOption: ReadOption): boolean {
  const socketpair = libc.func(
    "int socketpair(int domain, int type, int protocol, _Out_ uint8_t *fds)",
  );
  const pair = Buffer.alloc(8);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) !== 0) {
    throw new Error(`making a pair of sockets: errno ${koffi.errno()}`);
  }
  const ends = [pair.readInt32LE(0), pair.readInt32LE(4)] as const;
  try {
    const pidfd = readOption(ends[0], SO_PEERPIDFD, 4);
    if (typeof pidfd !== "number") closeSync(pidfd.readInt32LE());
    return pidfd !== ENOPROTOOPT;
  } finally {
    for (const end of ends) closeSync(end);
  }
}
