import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Options of {@link replaceFile}. */
export interface ReplaceFileOptions {
  /** Permission bits of the file, whatever the umask. */
  readonly mode: number;
  /** Owner and group; those of the process unless given. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/** What a file is to hold; a function writes it from where the file stands, which is its beginning. */
export type FileContent = Uint8Array | string | ((file: FileHandle) => Promise<void>);

/** Beginning of the names of files that {@link replaceFile} has not finished; whoever owns the folder may remove them. */
export const UNFINISHED_PREFIX = ".unfinished-";

/**
 * Writes a file so that a reader, and the machine after a power cut, sees either all of the old content or all of the new. When
 * it resolves, the new content is durable. Concurrent calls for one path are for the caller to prevent.
 */
export async function replaceFile(
  path: string,
  content: FileContent,
  options: ReplaceFileOptions,
): Promise<void> {
  await using staged = await stageFile(path, content, options);
  await staged.replace();
  await syncDirectory(dirname(path));
}

/** A new content that lies beside its file. Disposing removes it if it was not put in place. */
export interface StagedFile extends AsyncDisposable {
  /** Puts it in place. Durable after {@link syncDirectory}. */
  replace(): Promise<void>;
}

/** The first half of {@link replaceFile}, for several files that are to change together: all are written before any is replaced. */
export async function stageFile(
  path: string,
  content: FileContent,
  { mode, uid, gid }: ReplaceFileOptions,
): Promise<StagedFile> {
  const unfinished = join(dirname(path), `${UNFINISHED_PREFIX}${basename(path)}`);
  const discard = (): Promise<void> => rm(unfinished, { force: true });
  try {
    // "wx" with a removal before it: never through a link that somebody left there.
    await discard();
    await using file = await open(unfinished, "wx", 0o600);
    // Owner first: a change of owner takes bits away, and nobody else may read it in between.
    if (uid !== undefined || gid !== undefined) await giveTo(file, uid ?? -1, gid ?? -1);
    await file.chmod(mode);
    if (typeof content === "function") await content(file);
    else await file.writeFile(content);
    await file.sync();
  } catch (err) {
    await discard();
    throw err;
  }
  return { replace: () => rename(unfinished, path), [Symbol.asyncDispose]: discard };
}

/** @throws {Error} when this process may not; the kernel's own word does not say what was tried */
async function giveTo(file: FileHandle, uid: number, gid: number): Promise<void> {
  try {
    await file.chown(uid, gid);
  } catch (cause) {
    const whom = [...(uid < 0 ? [] : [`user ${uid}`]), ...(gid < 0 ? [] : [`group ${gid}`])];
    const self = `${process.geteuid?.()}:${process.getegid?.()}`;
    const message = `a process of ${self} may not give files to ${whom.join(" and ")}; it takes root or CAP_CHOWN`;
    throw new Error(message, { cause });
  }
}

/** Makes what was created, renamed or removed in a folder durable. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}
