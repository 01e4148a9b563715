import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** A file or a symbolic link of something that is delivered; folders follow from the paths. */
export type TreeEntry =
  | { readonly path: string; readonly mode: number; readonly contents: Uint8Array | string }
  | { readonly path: string; readonly target: string };

/** Writes a tree in the place of whatever was in the folder. */
export async function writeTree(folder: string, entries: readonly TreeEntry[]): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const entry of entries) {
    const path = join(folder, entry.path);
    await mkdir(dirname(path), { recursive: true });
    if ("target" in entry) await symlink(entry.target, path);
    else await writeFile(path, entry.contents, { mode: entry.mode });
  }
}

/** The same entries in a folder. */
export function below(folder: string, entries: readonly TreeEntry[]): readonly TreeEntry[] {
  return entries.map((entry) => ({ ...entry, path: `${folder}/${entry.path}` }));
}
