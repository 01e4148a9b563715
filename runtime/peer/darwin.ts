import koffi from "koffi";
import type { PeerReader } from "./credentials.ts";

// sys/un.h
const SOL_LOCAL = 0;
const LOCAL_PEERPID = 2;

/**
 * Asks getpeereid(3) and LOCAL_PEERPID. macOS has no handle on a process, so a PID is only a hint there: enough for an
 * administrator's socket, which goes by user, and not for workloads.
 */
export function openDarwinReader(): PeerReader {
  const libc = koffi.load(null);
  const getpeereid = libc.func("int getpeereid(int fd, _Out_ uint8_t *uid, _Out_ uint8_t *gid)");
  const getsockopt = libc.func(
    "int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint8_t *length)",
  );
  return {
    // Nothing rests on the PID here, and the user is the one who connected.
    knowsThoseWhoWaited: true,
    read(fd) {
      const uid = Buffer.alloc(4);
      const gid = Buffer.alloc(4);
      if (getpeereid(fd, uid, gid) !== 0) {
        throw new Error(`reading peer credentials: errno ${koffi.errno()}`);
      }
      const pid = Buffer.alloc(4);
      const length = Buffer.from([4, 0, 0, 0]);
      const hasPid = getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, pid, length) === 0;
      return {
        pid: hasPid ? pid.readInt32LE() : 0,
        uid: uid.readUInt32LE(),
        gid: gid.readUInt32LE(),
      };
    },
  };
}
