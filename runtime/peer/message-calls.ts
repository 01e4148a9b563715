import koffi from "koffi";
import { Descriptor } from "./descriptor.ts";

// The same on x64 and arm64: linux/socket.h, asm-generic/socket.h, asm-generic/errno-base.h.
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const EINTR = 4;
const EAGAIN = 11;

/** struct cmsghdr: size_t length, int level, int type; the data follow, padded to the size of a pointer. */
const CONTROL_LENGTH = 20;
const CONTROL_SPACE = 24;

/** What one recvmsg(2) gave. */
export interface ReceivedPart {
  /** Empty at the end of what the other side sends. */
  readonly bytes: Uint8Array;
  readonly descriptor?: Descriptor;
  /** Whether there were more descriptors than one; the kernel has closed the others. */
  readonly tooMany: boolean;
}

/** sendmsg(2) and recvmsg(2) with at most one descriptor beside the bytes. Neither ever waits. */
export interface MessageCalls {
  /** How many of the bytes were taken; 0 if none can be just now. The descriptor goes with the first. */
  send(fd: number, bytes: Uint8Array, descriptor: number | undefined): number;
  /** Undefined if there is nothing just now. */
  receive(fd: number, maxBytes: number): ReceivedPart | undefined;
}

/** @throws {Error} elsewhere than on Linux */
export function openMessageCalls(platform: NodeJS.Platform = process.platform): MessageCalls {
  if (platform !== "linux") {
    throw new Error(`passing descriptors is not supported on ${platform}`);
  }
  const { sendmsg, recvmsg } = loadCalls();
  return {
    send(fd, bytes, descriptor) {
      const control = descriptor === undefined ? Buffer.alloc(0) : controlOf(descriptor);
      const sent = Number(sendmsg(fd, header(bytes, control), MSG_DONTWAIT | MSG_NOSIGNAL));
      if (sent >= 0) return sent;
      if (isNotNow()) return 0;
      throw new Error(`sending a message: errno ${koffi.errno()}`);
    },
    receive(fd, maxBytes) {
      const bytes = Buffer.alloc(maxBytes);
      // Room for one descriptor and no padding, which would take another: of more, the kernel keeps what does not fit.
      const control = Buffer.alloc(CONTROL_LENGTH);
      const message = header(bytes, control);
      const received = Number(recvmsg(fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
      if (received < 0) {
        if (isNotNow()) return undefined;
        throw new Error(`receiving a message: errno ${koffi.errno()}`);
      }
      const descriptor = descriptorIn(control.subarray(0, Number(message.controllen)));
      return {
        bytes: bytes.subarray(0, received),
        tooMany: (message.flags & MSG_CTRUNC) !== 0,
        ...(descriptor === undefined ? {} : { descriptor }),
      };
    },
  };
}

/** struct msghdr (recvmsg(2)), whose pointers lead into buffers of ours. */
interface MessageHeader {
  readonly name: null;
  readonly namelen: 0;
  readonly iov: { readonly base: Uint8Array; readonly len: number };
  readonly iovlen: 1;
  readonly control: Uint8Array;
  controllen: number;
  flags: number;
}

function header(bytes: Uint8Array, control: Uint8Array): MessageHeader {
  return {
    name: null,
    namelen: 0,
    iov: { base: bytes, len: bytes.length },
    iovlen: 1,
    control,
    controllen: control.length,
    flags: 0,
  };
}

function loadCalls() {
  const libc = koffi.load(null);
  const iovec = koffi.struct({ base: "uint8_t *", len: "size_t" });
  const msghdr = koffi.struct({
    name: "void *",
    namelen: "uint32_t",
    iov: koffi.pointer(iovec),
    iovlen: "size_t",
    control: "uint8_t *",
    controllen: "size_t",
    flags: "int",
  });
  const pointer = koffi.pointer(msghdr);
  return {
    sendmsg: libc.func("sendmsg", "long", ["int", pointer, "int"]),
    recvmsg: libc.func("recvmsg", "long", ["int", koffi.inout(pointer), "int"]),
  };
}

function controlOf(descriptor: number): Uint8Array {
  const control = Buffer.alloc(CONTROL_SPACE);
  control.writeBigUInt64LE(BigInt(CONTROL_LENGTH), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  control.writeInt32LE(descriptor, 16);
  return control;
}

function descriptorIn(control: Buffer): Descriptor | undefined {
  if (control.length < CONTROL_LENGTH) return undefined;
  const isRights = control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
  const isWhole = control.readBigUInt64LE(0) >= CONTROL_LENGTH;
  return isRights && isWhole ? new Descriptor(control.readInt32LE(16)) : undefined;
}

function isNotNow(): boolean {
  return koffi.errno() === EAGAIN || koffi.errno() === EINTR;
}
