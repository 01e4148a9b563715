import { open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { alreadyExists, unavailable } from "../../../runtime/errors/status-error.ts";
import type { BackupResult } from "../store.ts";
import { exists, sync } from "./files.ts";

/** Pages to copy before other work gets its turn: 4 MB. */
const PAGES_PER_STEP = 1000;

/**
 * Copies an open store while it is in use, page by page; what is written meanwhile by the same connection is in the copy. The
 * file gets its name only when it is complete and on the disk.
 *
 * @throws {StatusError} ALREADY_EXISTS when there is a file at `path`
 * @throws {StatusError} UNAVAILABLE when it cannot be written
 */
export async function backUp(handle: Database.Database, path: string): Promise<BackupResult> {
  if (await exists(path)) {
    throw alreadyExists(`${path} exists already: a backup replaces no file`, {
      reason: "backup_exists",
    });
  }
  const partial = `${path}.partial`;
  try {
    await rm(partial, { force: true });
    await (await open(partial, "wx", 0o600)).close();
    await handle.backup(partial, { progress: () => PAGES_PER_STEP });
    const contents = describeCopy(partial);
    await sync(partial);
    const { size } = await stat(partial);
    await rename(partial, path);
    await sync(dirname(path));
    return { ...contents, bytes: size };
  } catch (err) {
    await rm(partial, { force: true });
    throw unavailable("cannot write the backup", {
      reason: "backup_failed",
      cause: err,
    });
  }
}

function describeCopy(path: string): Omit<BackupResult, "bytes"> {
  const copy = new Database(path);
  try {
    // A copy is one file that can be carried about: it needs no write-ahead log beside it.
    copy.pragma("journal_mode = DELETE");
    const state = copy.prepare("select incarnation, revision from store_state").get() as {
      readonly incarnation: string;
      readonly revision: number;
    };
    return { incarnation: state.incarnation, revision: BigInt(state.revision) };
  } finally {
    copy.close();
  }
}
