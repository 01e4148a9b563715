import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmdirSync,
} from "node:fs";
import { isMissing } from "../files/is-missing.ts";

/** The same on x64 and arm64 (asm-generic/fcntl.h): a handle on a place in the file system, not on what is in it. */
const O_PATH = 0o10_000_000;

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/**
 * A handle on a directory (O_PATH, open(2)). What is done below it goes through the handle, one name at a time and without
 * following links, so that nobody who renames or links folders meanwhile can lead it elsewhere. Linux only.
 */
export class Directory implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Opens a path that is trusted: links in it are followed. @throws {Error} with `code` if there is no such directory */
  static open(path: string): Directory {
    return new Directory(openSync(path, O_PATH | O_DIRECTORY));
  }

  /**
   * Opens a directory in this one, or the root of what is mounted on it. Undefined if there is none.
   *
   * @param name one name, without a slash
   * @throws {Error} with `code` ENOTDIR if it is something else, a link among others
   */
  child(name: string): Directory | undefined {
    try {
      return new Directory(openSync(this.pathOf(name), O_PATH | O_DIRECTORY | O_NOFOLLOW));
    } catch (err) {
      if (isMissing(err)) return undefined;
      throw err;
    }
  }

  /** @throws {Error} with `code` EEXIST if the name is taken */
  makeChild(name: string, mode: number): void {
    mkdirSync(this.pathOf(name), { mode });
  }

  /** Removes an empty directory. @throws {Error} with `code` */
  removeChild(name: string): void {
    rmdirSync(this.pathOf(name));
  }

  /**
   * The text of a file in this directory. Undefined if there is none.
   *
   * @throws {Error} if it is longer than `maxBytes`, or no file: a link, among others
   */
  readFile(name: string, maxBytes: number): string | undefined {
    const fd = this.#openFile(name);
    if (fd === undefined) return undefined;
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) throw new Error(`${name} is not a file`);
      if (stats.size > maxBytes) throw new Error(`${name} is longer than ${maxBytes} bytes`);
      const bytes = Buffer.alloc(maxBytes);
      return bytes.toString("utf8", 0, readSync(fd, bytes, 0, maxBytes, 0));
    } finally {
      closeSync(fd);
    }
  }

  #openFile(name: string): number | undefined {
    try {
      // Opening a pipe must not wait for somebody to write into it.
      return openSync(this.pathOf(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (err) {
      if (isMissing(err)) return undefined;
      throw err;
    }
  }

  /** A path that leads into this very directory while the handle is open; only for calls that do not follow its last name. */
  pathOf(name: string): string {
    if (!/^[^/\0]+$/.test(name) || name === "." || name === "..") {
      throw new TypeError("expected one name");
    }
    return `${this.path}/${name}`;
  }

  /** The handle itself; it stays ours. */
  get fd(): number {
    return this.#fd;
  }

  /** A path that means this very directory while the handle is open. */
  get path(): string {
    return `/proc/self/fd/${this.#fd}`;
  }

  /** Number of the mount that the directory lies on. */
  get mountId(): string {
    const info = readFileSync(`/proc/self/fdinfo/${this.#fd}`, "latin1");
    const [, id] = /^mnt_id:\s*(\d+)$/m.exec(info) ?? [];
    if (id === undefined) throw new Error("kernel does not tell mounts apart");
    return id;
  }

  /** Whether both handles mean one directory, if through different mounts. */
  isSame(other: Directory): boolean {
    const [ours, theirs] = [fstatSync(this.#fd), fstatSync(other.#fd)];
    return ours.dev === theirs.dev && ours.ino === theirs.ino;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
