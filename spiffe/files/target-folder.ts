import { constants } from "node:fs";
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rmdir,
  unlink,
} from "node:fs/promises";
import { join } from "node:path";

/** Larger than any file of ours. */
const MAX_READ_BYTES = 16 * 1024 * 1024;

/** The folder cannot be used, for a reason that whoever set it up has to mend. */
export class FolderError extends Error {
  override readonly name = "FolderError";
}

/**
 * A folder that is held by its descriptor, so that whatever happens to its path, work on it stays in it: nobody who may rename
 * things above can lead us elsewhere through a link. (On systems other than Linux by its path.)
 */
export class TargetFolder implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #base: string;

  private constructor(handle: FileHandle, base: string) {
    this.#handle = handle;
    this.#base = base;
  }

  /**
   * Opens it, and makes it if it is not there.
   *
   * @param uid who may own it, beside root and the user of this process
   * @throws {FolderError} when it is somebody else's, or its path ends in a link that is somebody else's
   */
  static async open(path: string, uid?: number): Promise<TargetFolder> {
    await makeFolder(path);
    const folder = await TargetFolder.#openAt(path, constants.O_DIRECTORY);
    try {
      const owners = new Set([0, process.geteuid?.() ?? 0, uid]);
      const link = await lstat(path);
      const { uid: owner } = await folder.#handle.stat();
      // Whoever owns the folder may replace everything in it, our files' names included.
      const other = [link.uid, owner].find((each) => !owners.has(each));
      if (other !== undefined) {
        throw new FolderError(`${path} belongs to another user (uid ${other})`);
      }
      return folder;
    } catch (err) {
      await folder[Symbol.asyncDispose]();
      throw err;
    }
  }

  /** A new folder in it, for this user only. */
  async makeChild(name: string): Promise<TargetFolder> {
    await mkdir(this.path(name), { mode: 0o700 });
    const child = await TargetFolder.#openAt(
      this.path(name),
      constants.O_DIRECTORY | constants.O_NOFOLLOW,
    );
    const { uid } = await child.#handle.stat();
    if (uid === (process.geteuid?.() ?? 0)) return child;
    await child[Symbol.asyncDispose]();
    throw new FolderError(`${name} was replaced by another user (uid ${uid})`);
  }

  /**
   * Removes a folder in it with the files of that folder, through descriptors: whoever may rename things here cannot have anything
   * removed elsewhere. Folders that somebody else put in there stay, and with them the folder.
   */
  async removeChild(name: string): Promise<void> {
    try {
      await using child = await TargetFolder.#openAt(
        this.path(name),
        constants.O_DIRECTORY | constants.O_NOFOLLOW,
      );
      for (const file of await child.list()) await removeFile(child.path(file));
    } catch (err) {
      if (!isMissing(err)) throw err;
      // A link in place of the folder.
      return await removeFile(this.path(name));
    }
    try {
      await rmdir(this.path(name));
    } catch (err) {
      if (!hasCode(err, "ENOENT", "ENOTEMPTY", "ENOTDIR")) throw err;
    }
  }

  static async #openAt(path: string, flags: number): Promise<TargetFolder> {
    const handle = await open(path, constants.O_RDONLY | flags);
    const base = process.platform === "linux" ? `/proc/self/fd/${handle.fd}` : path;
    return new TargetFolder(handle, base);
  }

  /** Where a file of it is, for as long as the folder is open. */
  path(name: string): string {
    return join(this.#base, name);
  }

  /** Names of everything in it. */
  list(): Promise<readonly string[]> {
    return readdir(this.#base);
  }

  /** Lets everybody look a name up in it; its files have modes of their own. */
  allowAll(): Promise<void> {
    return this.#handle.chmod(0o755);
  }

  /** Makes what was created, renamed or removed durable. */
  sync(): Promise<void> {
    return this.#handle.sync();
  }

  /** Content, mode and owner of a file; undefined if there is none, or something else than a file. */
  async read(name: string): Promise<StoredFile | undefined> {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    try {
      await using file = await open(this.path(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      const info = await file.stat();
      if (!info.isFile() || info.size > MAX_READ_BYTES) return undefined;
      const { mode, uid, gid } = info;
      return { content: await readFile(file), mode: mode & 0o7777, uid, gid };
    } catch (err) {
      if (isMissing(err)) return undefined;
      throw err;
    }
  }

  /** What a link says; undefined if there is none of that name. */
  async readLink(name: string): Promise<string | undefined> {
    try {
      return await readlink(this.path(name));
    } catch (err) {
      if (isMissing(err)) return undefined;
      throw err;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** A file as it was found. */
export interface StoredFile {
  readonly content: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (err) {
    if (!hasCode(err, "ENOENT", "EISDIR", "EPERM")) throw err;
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o755 });
  } catch (err) {
    if (!hasCode(err, "EEXIST")) throw err;
  }
}

/** Not there, or not of the kind that was asked for. */
function isMissing(err: unknown): boolean {
  return hasCode(err, "ENOENT", "ELOOP", "EINVAL", "ENOTDIR", "ENXIO", "EACCES");
}

function hasCode(err: unknown, ...codes: readonly string[]): boolean {
  return err instanceof Error && "code" in err && codes.includes(String(err.code));
}
