import { rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "../../runtime/files/replace-file.ts";
import { listSegments } from "../../runtime/journal/segment.ts";

/** The oldest files of a chain. */
export interface OldSegments {
  readonly paths: readonly string[];
  /** Nothing else is there, so the chain goes as a whole. */
  readonly isAll: boolean;
}

/** The files of an archived chain that were last written to before `before`; never one whose predecessor stays. */
export async function findOldSegments(folder: string, before: Date): Promise<OldSegments> {
  const segments = await listSegments(folder);
  const paths: string[] = [];
  for (const { path } of segments) {
    if ((await stat(path)).mtime >= before) break;
    paths.push(path);
  }
  return { paths, isAll: paths.length === segments.length };
}

/** Removes the files, and with the last of them the chain's folder and the agent's, where nothing else is in them. */
export async function removeSegments(folder: string, { paths, isAll }: OldSegments): Promise<void> {
  for (const path of paths) await rm(path);
  await syncDirectory(folder);
  if (!isAll) return;
  for (const empty of [folder, join(folder, "..")]) {
    // What a crash left aside may lie there, or another chain.
    await rmdir(empty).catch(() => {});
  }
}
