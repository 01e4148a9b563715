import { closeSync } from "node:fs";
import koffi from "koffi";
import { Descriptor } from "./descriptor.ts";

// The same on x64 and arm64: linux/socket.h, linux/net.h, asm-generic/socket.h.
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2_000_000;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const EINTR = 4;
const ECONNABORTED = 103;

/** struct sockaddr_un: the family in two bytes, then the path. */
const ADDRESS_BYTES = 110;
const PATH_OFFSET = 2;

/**
 * Listens on a Unix socket without ever accepting: connections wait in the kernel until somebody who was given the descriptor
 * takes them. Node's own servers accept as soon as they listen. Linux only.
 *
 * @param backlog how many connections may wait; the kernel takes no more than net.core.somaxconn
 * @throws {Error} when the path cannot be bound
 */
export function listenWithoutAccepting(path: string, backlog: number): Descriptor {
  const libc = koffi.load(null);
  const socket = libc.func("int socket(int domain, int type, int protocol)");
  const bind = libc.func("int bind(int fd, const uint8_t *address, uint32_t length)");
  const listen = libc.func("int listen(int fd, int backlog)");
  const fd: number = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error(`making a socket: errno ${koffi.errno()}`);
  const opened = new Descriptor(fd);
  try {
    const address = Buffer.alloc(ADDRESS_BYTES);
    address.writeUInt16LE(AF_UNIX);
    // One byte stays zero: it ends the path.
    if (Buffer.byteLength(path) > ADDRESS_BYTES - PATH_OFFSET - 1) {
      throw new Error(`socket path is too long: ${path}`);
    }
    address.write(path, PATH_OFFSET);
    if (bind(fd, address, address.length) !== 0) {
      throw new Error(`binding ${path}: errno ${koffi.errno()}`);
    }
    if (listen(fd, backlog) !== 0) throw new Error(`listening on ${path}: errno ${koffi.errno()}`);
    return opened;
  } catch (err) {
    opened[Symbol.dispose]();
    throw err;
  }
}

/** Whether a descriptor is a Unix stream socket that listens. Linux only. */
export function isListeningSocket(fd: number): boolean {
  const libc = koffi.load(null);
  const getsockopt = libc.func(
    "int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint8_t *length)",
  );
  const option = (name: number): number | undefined => {
    const value = Buffer.alloc(4);
    const length = Buffer.from([4, 0, 0, 0]);
    return getsockopt(fd, SOL_SOCKET, name, value, length) === 0 ? value.readInt32LE() : undefined;
  };
  return (
    option(SO_DOMAIN) === AF_UNIX && option(SO_TYPE) === SOCK_STREAM && option(SO_ACCEPTCONN) === 1
  );
}

/**
 * Closes the connections that wait in the kernel's queue, for whoever could not tell any more who made them: those clients connect
 * again. Linux only.
 *
 * @param limit how many may wait: what comes beyond that has only just come
 * @returns how many there were
 */
export function closeWaiting(fd: number, limit: number): number {
  const libc = koffi.load(null);
  const fcntl = libc.func("int fcntl(int fd, int command, ...)");
  const accept4 = libc.func("int accept4(int fd, void *address, void *length, int flags)");
  // A descriptor from a supervisor may be one on which accepting waits.
  const flags: number = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, "int", flags | O_NONBLOCK) < 0) {
    throw new Error(`preparing a listening socket: errno ${koffi.errno()}`);
  }
  let closed = 0;
  while (closed < limit) {
    const connection: number = accept4(fd, null, null, SOCK_CLOEXEC);
    if (connection >= 0) {
      closeSync(connection);
      closed += 1;
    } else if (koffi.errno() !== EINTR && koffi.errno() !== ECONNABORTED) break;
  }
  return closed;
}
