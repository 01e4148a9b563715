import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Contents of a file. */
export interface TreeFile {
  /** Relative, with slashes. */
  readonly path: string;
  readonly mode: number;
  readonly contents: Uint8Array | string;
}

/** A symbolic link. */
export interface TreeLink {
  readonly path: string;
  readonly target: string;
}

/** A folder that is to be there even when it is empty, or that is not root's, or not for everybody to read. */
export interface TreeFolder {
  readonly path: string;
  readonly mode: number;
  /** Its user and group; 0 unless given. */
  readonly owner?: number;
}

/** Something that is delivered. Other folders than those named follow from the paths. */
export type TreeEntry = TreeFile | TreeLink | TreeFolder;

/** Writes files and links in the place of whatever was in the folder. */
export async function writeTree(
  folder: string,
  entries: readonly (TreeFile | TreeLink)[],
): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const entry of entries) {
    const path = join(folder, entry.path);
    await mkdir(dirname(path), { recursive: true });
    if ("target" in entry) await symlink(entry.target, path);
    else await writeFile(path, entry.contents, { mode: entry.mode });
  }
}

/** The same entries in a folder. */
export function below<Entry extends TreeEntry>(
  folder: string,
  entries: readonly Entry[],
): readonly Entry[] {
  return entries.map((entry) => ({ ...entry, path: `${folder}/${entry.path}` }));
}
