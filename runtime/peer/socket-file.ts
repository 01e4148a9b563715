import { lstatSync, type Stats } from "node:fs";
import { chmod, lstat, mkdtemp, rename, rm, rmdir } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join } from "node:path";

/** Longest path that fits into struct sockaddr_un with its final zero. */
const MAX_PATH_BYTES = process.platform === "darwin" ? 103 : 107;

/** Somebody listens on the path that is asked for. */
export class SocketTakenError extends Error {
  override readonly name = "SocketTakenError";
}

/**
 * Puts a listening socket at `path` with permissions `mode`. It is bound in a folder that only we can enter, given its
 * permissions, and only then moved into place: so at no time can it be reached with other permissions (a process-wide umask
 * would be seen by other threads), and a stale socket is replaced without a moment in which there is none.
 *
 * @param listen makes a socket listen at the path it is given
 * @param o.replace whether to take the place of a socket that somebody listens on
 * @throws {SocketTakenError} if somebody listens on the path
 * @throws {Error} if the path is taken by something else
 */
export async function placeSocket(
  path: string,
  mode: number,
  listen: (path: string) => Promise<void>,
  o: { readonly replace?: boolean } = {},
): Promise<SocketFile> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new Error(`socket path is longer than ${MAX_PATH_BYTES} bytes: ${path}`);
  }
  await refuseIfTaken(path, o.replace === true);
  const folder = await mkdtemp(join(dirname(path), ".s"));
  const hidden = join(folder, "s");
  try {
    if (Buffer.byteLength(hidden) > MAX_PATH_BYTES) {
      throw new Error(`folder of the socket has too long a path: ${dirname(path)}`);
    }
    await listen(hidden);
    await chmod(hidden, mode);
    const { ino } = await lstat(hidden);
    await rename(hidden, path);
    return { path, ino };
  } catch (err) {
    await rm(hidden, { force: true });
    throw err;
  } finally {
    await rmdir(folder);
  }
}

/** A socket in the file system, and which one. */
export interface SocketFile {
  readonly path: string;
  readonly ino: number;
}

/** Removes the socket, unless somebody has put another one in its place. */
export async function removeSocket({ path, ino }: SocketFile): Promise<void> {
  if (statSocket(path)?.ino === ino) await rm(path, { force: true });
}

async function refuseIfTaken(path: string, mayReplace: boolean): Promise<void> {
  const stats = statSocket(path);
  if (stats === undefined) return;
  if (!stats.isSocket()) throw new Error(`socket path is taken by something else: ${path}`);
  if (!mayReplace && (await isListening(path))) {
    throw new SocketTakenError(`somebody listens on the socket already: ${path}`);
  }
}

function statSocket(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/**
 * Whether somebody may listen on the socket. Only a refused connection proves that nobody does: all else (a full backlog, no
 * permission) may be a live owner.
 */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (err: NodeJS.ErrnoException) => resolve(err.code !== "ECONNREFUSED"));
  });
}
