import { closeSync } from "node:fs";
import koffi from "koffi";

// asm-generic/fcntl.h, the same on x64 and arm64.
const F_DUPFD_CLOEXEC = 1030;

const libc = koffi.load(null);
const fcntl = libc.func("int fcntl(int fd, int command, ...)");

/** A file descriptor that belongs to whoever holds this object, and is closed with it. No child process inherits it. */
export class Descriptor implements Disposable {
  #fd: number;

  /** @param fd an open descriptor, which belongs to this object from here on */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @throws {Error} once closed or taken */
  get fd(): number {
    if (this.#fd < 0) throw new Error("descriptor is closed");
    return this.#fd;
  }

  /** Another descriptor of the same open file. @throws {Error} when no more can be had */
  duplicate(): Descriptor {
    return duplicateDescriptor(this.fd);
  }

  /** Gives the descriptor to somebody who closes it. */
  take(): number {
    const { fd } = this;
    this.#fd = -1;
    return fd;
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** Another descriptor of the same open file as `fd`, which stays its owner's. @throws {Error} when it cannot be had */
export function duplicateDescriptor(fd: number): Descriptor {
  const duplicate: number = fcntl(fd, F_DUPFD_CLOEXEC, "int", 0);
  if (duplicate < 0) throw new Error(`duplicating a descriptor: errno ${koffi.errno()}`);
  return new Descriptor(duplicate);
}
