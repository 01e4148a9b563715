import { rename, rm, symlink } from "node:fs/promises";
import { type StagedFile, stageFile, UNFINISHED_PREFIX } from "../../runtime/files/replace-file.ts";
import type { Random } from "../../runtime/random.ts";
import { bytesEqual } from "../x509/bytes.ts";
import type { FileSpec } from "./file-spec.ts";
import { TargetFolder } from "./target-folder.ts";

/**
 * How several files change together. With `swap` each name is a link through one common link (`..data`) into a folder that holds
 * one generation of all files, and the common link is what is replaced: every name changes at the same instant. With `plain` the
 * names are ordinary files, all written first and then renamed one after the other, those with a certificate chain last.
 */
export type FileLayout = "swap" | "plain";

/** A file and what is to be in it; undefined if it is to go. */
export interface FileContent {
  readonly file: FileSpec;
  readonly content: Uint8Array | undefined;
}

const COMMON_LINK = "..data";
const GENERATION = /^\.\.[0-9a-f]{16}$/;

/** The files of one folder. A reader sees either the old or the new content of a file, never half of one. */
export class FileSet {
  readonly #path: string;
  readonly #layout: FileLayout;
  readonly #uid: number | undefined;
  readonly #random: Random;

  /** @param o.uid who may own the folder, beside root and the user of this process */
  constructor(o: {
    readonly path: string;
    readonly layout: FileLayout;
    readonly uid?: number | undefined;
    readonly random: Random;
  }) {
    this.#path = o.path;
    this.#layout = o.layout;
    this.#uid = o.uid;
    this.#random = o.random;
  }

  /**
   * Brings the folder up to date. What is as it has to be stays untouched. When it resolves, the files are durable; when it
   * rejects, the old ones are still there.
   *
   * @returns names of the files that changed
   * @throws {FolderError} and the errors of the file system
   */
  async write(files: readonly FileContent[]): Promise<readonly string[]> {
    await using folder = await TargetFolder.open(this.#path, this.#uid);
    // Awaited here: the folder is closed as soon as this returns.
    return await (this.#layout === "swap" ? this.#swap(folder, files) : writePlain(folder, files));
  }

  /** Takes the files away. @returns names of those that were there */
  async remove(files: readonly FileSpec[]): Promise<readonly string[]> {
    const changed = await this.write(files.map((file) => ({ file, content: undefined })));
    if (this.#layout === "swap") {
      await using folder = await TargetFolder.open(this.#path, this.#uid);
      await rm(folder.path(COMMON_LINK), { force: true });
      await removeGenerations(folder, []);
    }
    return changed;
  }

  async #swap(folder: TargetFolder, files: readonly FileContent[]): Promise<readonly string[]> {
    const current = await folder.readLink(COMMON_LINK);
    const isOurs = current !== undefined && GENERATION.test(current);
    const before = async (name: string) => (isOurs ? folder.read(`${current}/${name}`) : undefined);
    const changed = await changedNames(files, before);
    if (changed.length > 0) {
      const next = await this.#swapGeneration(folder, files);
      // The one before stays until the next change, for readers who resolved the common link to open several files of one generation.
      await removeGenerations(folder, isOurs ? [next, current] : [next]);
    }
    for (const { file, content } of files) {
      if (content === undefined) await rm(folder.path(file.name), { force: true });
      else await placeLink(folder, file.name, `${COMMON_LINK}/${file.name}`);
    }
    await folder.sync();
    return changed;
  }

  /** @returns name of the new generation */
  async #swapGeneration(folder: TargetFolder, files: readonly FileContent[]): Promise<string> {
    const name = `..${Buffer.from(this.#random.bytes(8)).toString("hex")}`;
    try {
      await using generation = await folder.makeChild(name);
      for (const { file, content } of files) {
        if (content === undefined) continue;
        await using staged = await stageFile(generation.path(file.name), content, file);
        await staged.replace();
      }
      await generation.allowAll();
      await generation.sync();
      await placeLink(folder, COMMON_LINK, name);
      await folder.sync();
      return name;
    } catch (err) {
      await folder.removeChild(name);
      throw err;
    }
  }
}

async function writePlain(
  folder: TargetFolder,
  files: readonly FileContent[],
): Promise<readonly string[]> {
  const changed = new Set(await changedNames(files, (name) => folder.read(name)));
  await using stack = new AsyncDisposableStack();
  const staged: StagedFile[] = [];
  for (const { file, content } of files.toSorted((a, b) => rank(a.file) - rank(b.file))) {
    if (content === undefined || !changed.has(file.name)) continue;
    staged.push(stack.use(await stageFile(folder.path(file.name), content, file)));
  }
  for (const each of staged) await each.replace();
  for (const { file, content } of files) {
    if (content === undefined) await rm(folder.path(file.name), { force: true });
  }
  if (changed.size > 0) await folder.sync();
  return [...changed];
}

/** Who watches a certificate's file finds everything else in place when it changes. */
function rank(file: FileSpec): number {
  const holds: readonly string[] = "holds" in file ? file.holds : [];
  if (["chain", "leaf", "identity"].some((part) => holds.includes(part))) return 2;
  return holds.includes("key") ? 1 : 0;
}

async function changedNames(
  files: readonly FileContent[],
  read: (name: string) => ReturnType<TargetFolder["read"]>,
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const { file, content } of files) {
    const stored = await read(file.name);
    const isSame =
      content === undefined || stored === undefined
        ? content === stored
        : bytesEqual(stored.content, content) &&
          stored.mode === file.mode &&
          stored.uid === (file.uid ?? stored.uid) &&
          stored.gid === (file.gid ?? stored.gid);
    if (!isSame) names.push(file.name);
  }
  return names;
}

/** Makes a link, or replaces whatever has its name, without following it. */
async function placeLink(folder: TargetFolder, name: string, target: string): Promise<void> {
  if ((await folder.readLink(name)) === target) return;
  const unfinished = folder.path(`${UNFINISHED_PREFIX}${name}`);
  await rm(unfinished, { force: true });
  await symlink(target, unfinished);
  await rename(unfinished, folder.path(name));
}

async function removeGenerations(folder: TargetFolder, kept: readonly string[]): Promise<void> {
  for (const name of await folder.list()) {
    if (kept.includes(name) || !GENERATION.test(name)) continue;
    await folder.removeChild(name);
  }
}
