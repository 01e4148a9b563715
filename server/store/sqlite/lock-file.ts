import { closeSync, openSync } from "node:fs";
import Database from "better-sqlite3";
import { failedPrecondition } from "../../../runtime/errors/status-error.ts";

/**
 * Holds a store file for one process. The lock is one of SQLite's own on a small database beside the store, so the kernel lets
 * go of it however the process ends, and no stale file ever has to be removed by hand.
 *
 * The holder keeps a write transaction open: others can still read who holds it.
 */
export class LockFile implements Disposable {
  readonly #handle: Database.Database;

  private constructor(handle: Database.Database) {
    this.#handle = handle;
  }

  /**
   * Takes the lock for the store at `storePath`.
   *
   * @throws {StatusError} FAILED_PRECONDITION "store_in_use" naming the process that holds it
   */
  static acquire(storePath: string, pid: number): LockFile {
    const path = `${storePath}.lock`;
    closeSync(openSync(path, "a", 0o600));
    const handle = new Database(path, { timeout: WAIT_MS });
    try {
      handle.pragma("synchronous = OFF");
      handle.exec("begin immediate");
      handle.exec("create table if not exists holder (id integer primary key, pid integer)");
      handle.prepare("insert or replace into holder (id, pid) values (1, ?)").run(pid);
      handle.exec("commit");
      // Between the two transactions another process may have written itself: the last one written holds the lock.
      handle.exec("begin immediate");
      if (holderOf(handle) !== pid) throw inUse(storePath, holderOf(handle));
      return new LockFile(handle);
    } catch (err) {
      const refusal = isBusy(err) ? inUse(storePath, holderOf(handle)) : err;
      handle.close();
      throw refusal;
    }
  }

  [Symbol.dispose](): void {
    this.#handle.close();
  }
}

/** A server that is just going away gets this long to do so. */
const WAIT_MS = 1000;

function holderOf(handle: Database.Database): number | undefined {
  try {
    const pid = handle.prepare("select pid from holder where id = 1").pluck().get();
    return typeof pid === "number" ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isBusy(err: unknown): boolean {
  return err instanceof Database.SqliteError && err.code.startsWith("SQLITE_BUSY");
}

function inUse(storePath: string, pid: number | undefined): Error {
  const holder = pid === undefined ? "another process" : `process ${pid}`;
  return failedPrecondition(
    `the store ${storePath} is in use by ${holder}: one server owns a SQLite store; stop that one first`,
    { reason: "store_in_use" },
  );
}
