import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Options of {@link replaceFile}. */
export interface ReplaceFileOptions {
  /** Permission bits of the file, whatever the umask. */
  readonly mode: number;
}

/** Beginning of the names of files that {@link replaceFile} has not finished; whoever owns the folder may remove them. */
export const UNFINISHED_PREFIX = ".unfinished-";

/**
 * Writes a file so that a reader, and the machine after a power cut, sees either all of the old content or all of the new. When
 * it resolves, the new content is durable. Concurrent calls for one path are for the caller to prevent.
 */
export async function replaceFile(
  path: string,
  content: Uint8Array | string,
  options: ReplaceFileOptions,
): Promise<void> {
  const unfinished = join(dirname(path), `${UNFINISHED_PREFIX}${basename(path)}`);
  try {
    // "wx" with a removal before it: never through a link that somebody left there.
    await rm(unfinished, { force: true });
    await using file = await open(unfinished, "wx", options.mode);
    await file.chmod(options.mode);
    await file.writeFile(content);
    await file.sync();
    await rename(unfinished, path);
  } catch (err) {
    await rm(unfinished, { force: true });
    throw err;
  }
  await syncDirectory(dirname(path));
}

/** Makes what was created, renamed or removed in a folder durable. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}
