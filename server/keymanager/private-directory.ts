import type { Stats } from "node:fs";
import { lstat } from "node:fs/promises";

/**
 * Refuses a folder that others than the server's own user can look into.
 *
 * @throws {Error} saying what is wrong and the command that repairs it
 */
export async function checkPrivateDirectory(path: string): Promise<void> {
  const stats = await lstat(path);
  if (!stats.isDirectory()) throw new Error(`key folder ${path} is not a folder`);
  checkPrivateMode(`key folder ${path}`, path, stats, 0o700);
}

/** Refuses what has more than `mode` allows, or belongs to another user. */
export function checkPrivateMode(what: string, path: string, stats: Stats, mode: number): void {
  const uid = process.geteuid?.();
  if (uid !== undefined && stats.uid !== uid) {
    throw new Error(`${what} belongs to uid ${stats.uid}, not to this server (uid ${uid})`);
  }
  const actual = stats.mode & 0o777;
  if ((actual & ~mode) !== 0) {
    const [found, wanted] = [octal(actual), octal(mode)];
    throw new Error(`${what} has mode ${found}, expected ${wanted}: run chmod ${wanted} ${path}`);
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
