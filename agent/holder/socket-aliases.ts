import { lstat, readlink, symlink, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Puts links beside a socket, or the place where it will be, so that it can be reached by other names too. They lead to whatever
 * socket is there.
 *
 * @throws {Error} when a name is taken by anything but a link
 */
export async function linkAliases(socketPath: string, names: readonly string[]): Promise<void> {
  const target = basename(socketPath);
  for (const name of names) {
    const path = join(dirname(socketPath), name);
    const stats = await lstat(path).catch(() => undefined);
    if (stats?.isSymbolicLink()) {
      if ((await readlink(path)) === target) continue;
      await unlink(path);
    } else if (stats !== undefined) {
      throw new Error(`alias of the socket is taken by something else: ${path}`);
    }
    await symlink(target, path);
  }
}
