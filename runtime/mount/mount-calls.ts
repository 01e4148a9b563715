import { closeSync } from "node:fs";
import koffi from "koffi";
import type { Directory } from "./directory.ts";

// Numbers of system calls and flags, the same on x64 and arm64: asm-generic/unistd.h, linux/mount.h, linux/fcntl.h, sys/mount.h.
const SYS_OPEN_TREE = 428;
const SYS_MOVE_MOUNT = 429;
const SYS_MOUNT_SETATTR = 442;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2_000_000;
const AT_EMPTY_PATH = 0x1000;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
const MOUNT_ATTR_RDONLY = 1;
const MOUNT_ATTR_NOSUID = 2;
const MOUNT_ATTR_NODEV = 4;
const MOUNT_ATTR_NOEXEC = 8;
const MS_BIND = 4096;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** struct mount_attr: attributes to set, to clear, propagation, user namespace, of eight bytes each. */
const MOUNT_ATTR_BYTES = 32;

/** Bind mounts. Each call needs CAP_SYS_ADMIN. */
export interface MountCalls {
  /**
   * Makes a directory appear in the place of another: read-only, without setuid, devices and programs, and so from the first
   * moment and in every namespace that the mount reaches. Before Linux 5.12 it appears as it is.
   */
  mountReadOnly(source: Directory, target: Directory): void;
  /** Takes away what is mounted on a child of a directory. Processes that are in there may stay. */
  unmount(parent: Directory, name: string): void;
}

/** The kernel refused. */
export class MountError extends Error {
  override readonly name = "MountError";
}

/**
 * Mounts through handles, so that no path is looked up again.
 *
 * @param o.hasMountSetattr false to do as if the kernel were older
 * @throws {Error} elsewhere than on Linux
 */
export function openMountCalls(
  o: { readonly platform?: NodeJS.Platform; readonly hasMountSetattr?: boolean } = {},
): MountCalls {
  const { platform = process.platform } = o;
  if (platform !== "linux") throw new Error(`mounting is not supported on ${platform}`);
  const libc = koffi.load(null);
  const syscall = libc.func("long syscall(long number, ...)");
  const mount = libc.func(
    "int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)",
  );
  const umount2 = libc.func("int umount2(const char *target, int flags)");

  const call = (what: string, number: number, ...args: readonly unknown[]): number => {
    const result = Number(syscall(number, ...args));
    if (result < 0) throw new MountError(`${what}: ${errnoName()}`);
    return result;
  };
  const attributes = Buffer.alloc(MOUNT_ATTR_BYTES);
  attributes.writeBigUInt64LE(
    BigInt(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC),
  );
  /** Whether a mount can be given its attributes before anybody can see it. Asked with nonsense. */
  const canRestrict = (): boolean => {
    if (o.hasMountSetattr === false) return false;
    syscall(SYS_MOUNT_SETATTR, "int", -1, "str", "", "int", 0, "void *", null, "size_t", 0);
    return errnoName() !== "ENOSYS";
  };

  return {
    mountReadOnly(source, target) {
      if (!canRestrict()) {
        if (mount(source.path, target.path, null, MS_BIND, null) === 0) return;
        throw new MountError(`mount: ${errnoName()}`);
      }
      const cloning = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
      const at = (fd: number): readonly unknown[] => ["int", fd, "str", ""];
      const tree = call("open_tree", SYS_OPEN_TREE, ...at(source.fd), "unsigned int", cloning);
      try {
        const size = ["uint8_t *", attributes, "size_t", MOUNT_ATTR_BYTES];
        const empty = ["unsigned int", AT_EMPTY_PATH];
        call("mount_setattr", SYS_MOUNT_SETATTR, ...at(tree), ...empty, ...size);
        const moving = ["unsigned int", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH];
        call("move_mount", SYS_MOVE_MOUNT, ...at(tree), ...at(target.fd), ...moving);
      } finally {
        closeSync(tree);
      }
    },
    unmount(parent, name) {
      if (umount2(parent.pathOf(name), UMOUNT_NOFOLLOW | MNT_DETACH) !== 0) {
        throw new MountError(`umount: ${errnoName()}`);
      }
    },
  };
}

function errnoName(): string {
  const errno = koffi.errno();
  const found = Object.entries(koffi.os.errno).find(([, value]) => value === errno);
  return found === undefined ? `errno ${errno}` : found[0];
}
