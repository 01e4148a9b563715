import { chmod, copyFile, link, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { failedPrecondition } from "../../../runtime/errors/status-error.ts";
import type { Random } from "../../../runtime/random.ts";
import { randomUuid } from "../../../runtime/uuid.ts";
import { readState, type StateRow } from "../operations/store-state.ts";
import { failureStatus, StoreFailure } from "../store-failure.ts";
import { withFaults } from "./faults.ts";
import { exists, sync } from "./files.ts";
import { LockFile } from "./lock-file.ts";
import { openStore } from "./open-store.ts";
import { type RestoreDifferences, restoreDifferences } from "./restore-report.ts";

export interface RestoreOptions {
  readonly backupPath: string;
  /** The store to replace; there need not be one. */
  readonly storePath: string;
  readonly random: Random;
  /** Names this process to whoever finds the store in use meanwhile. */
  readonly pid: number;
}

/** What a restore did. Nothing comes back silently (D13). */
export interface RestoreReport {
  readonly incarnation: string;
  readonly revision: bigint;
  readonly revocationEpoch: bigint;
  /** Where the replaced store is kept; absent when there was none. */
  readonly replacedPath?: string;
  /** Absent when there was no store to compare with, or it could not be read: then anything may have come back. */
  readonly differences?: RestoreDifferences;
  /** Tokens of the backup that were made void: some may have been used since. */
  readonly voidedJoinTokens: number;
}

/** How far a restore raises the epoch: beyond whatever the lost time may have raised it to. */
const EPOCH_STEP = 2 ** 20;

/**
 * Puts a backup in the place of a store that no server uses. The copy becomes a history of its own: a new incarnation, so that no
 * agent resumes from it by mistake; a revocation epoch beyond all earlier ones; no join tokens; an empty change log. The
 * replaced store stays beside it. A kill at any moment leaves the old store or the new one.
 *
 * @throws {StatusError} FAILED_PRECONDITION when a server uses the store, or the backup is damaged, too new or no backup
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreReport> {
  using _ = LockFile.acquire(options.storePath, options.pid);
  const copyPath = `${options.storePath}.restoring`;
  try {
    await removeStore(copyPath);
    await checkBackup(options.backupPath);
    await copyFile(options.backupPath, copyPath);
    await chmod(copyPath, 0o600);
    const hasStore = await exists(options.storePath);
    const isReadable = hasStore && (await settle(options.storePath));
    const report = await rewrite(copyPath, options, isReadable);
    const replacedPath = `${options.storePath}.replaced-by-${report.incarnation}`;
    await putInPlace(copyPath, options.storePath, hasStore ? replacedPath : undefined);
    return hasStore ? { ...report, replacedPath } : report;
  } catch (err) {
    await removeStore(copyPath);
    throw err instanceof StoreFailure ? failureStatus(err, err) : err;
  }
}

async function checkBackup(path: string): Promise<void> {
  const refuse = (cause?: unknown): Error =>
    failedPrecondition(`${path} is no whole backup of a store`, {
      reason: "backup_unusable",
      ...(cause !== undefined && { cause }),
    });
  let findings: unknown;
  try {
    const backup = new Database(path, { readonly: true, fileMustExist: true });
    try {
      findings = backup.pragma("integrity_check", { simple: true });
      backup.prepare("select incarnation, revision from store_state where id = 1").get();
    } finally {
      backup.close();
    }
  } catch (err) {
    throw refuse(err);
  }
  if (findings !== "ok") throw refuse();
}

/** Brings the store that is to be replaced into one file of the present schema. False when it cannot be read. */
async function settle(path: string): Promise<boolean> {
  try {
    const { handle } = await openStore({ path, newIncarnation: "" });
    handle.pragma("wal_checkpoint(TRUNCATE)");
    handle.close();
    return true;
  } catch {
    return false;
  }
}

async function rewrite(
  copyPath: string,
  { storePath, random }: RestoreOptions,
  isReadable: boolean,
): Promise<RestoreReport> {
  const incarnation = randomUuid(random);
  const { handle, db } = await openStore({ path: copyPath, newIncarnation: incarnation });
  try {
    const restored = await readState(db);
    let replaced: StateRow | undefined;
    let differences: RestoreDifferences | undefined;
    if (isReadable) {
      handle.prepare("attach database ? as replaced").run(storePath);
      replaced = handle.prepare<[], StateRow>("select * from replaced.store_state").get();
      differences = restoreDifferences(handle);
      handle.exec("detach database replaced");
    }
    const highest = (counter: "revision" | "revocation_epoch"): number =>
      Math.max(restored[counter], replaced?.[counter] ?? 0);
    const revision = highest("revision") + 1;
    const epoch = highest("revocation_epoch") + EPOCH_STEP;
    const voidedJoinTokens = withFaults(() => startHistory(handle, incarnation, revision, epoch));
    // One file that can be renamed: without a log beside it.
    handle.pragma("journal_mode = DELETE");
    return {
      incarnation,
      revision: BigInt(revision),
      revocationEpoch: BigInt(epoch),
      voidedJoinTokens,
      ...(differences !== undefined && { differences }),
    };
  } finally {
    handle.close();
  }
}

function startHistory(
  handle: Database.Database,
  incarnation: string,
  revision: number,
  epoch: number,
): number {
  return handle.transaction(() => {
    handle
      .prepare(
        "update store_state set incarnation = ?, revision = ?, log_floor = ?, revocation_epoch = ?",
      )
      .run(incarnation, revision, revision, epoch);
    handle.prepare("delete from changes").run();
    return handle.prepare("delete from join_tokens").run().changes;
  })();
}

async function putInPlace(
  copyPath: string,
  storePath: string,
  replacedPath: string | undefined,
): Promise<void> {
  await sync(copyPath);
  if (replacedPath !== undefined) {
    await link(storePath, replacedPath);
    // A store that could not be opened may have its newest changes in its log: keep that too. It must not meet the new file.
    if (await exists(`${storePath}-wal`)) await rename(`${storePath}-wal`, `${replacedPath}-wal`);
  }
  await rm(`${storePath}-shm`, { force: true });
  await rename(copyPath, storePath);
  await sync(dirname(storePath));
}

async function removeStore(path: string): Promise<void> {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) await rm(path + suffix, { force: true });
}
