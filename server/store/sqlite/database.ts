import { closeSync, openSync } from "node:fs";
import Database from "better-sqlite3";
import { Kysely, SqliteDialect } from "kysely";
import type { Schema } from "../schema.ts";
import { withFaults } from "./faults.ts";
import { cachingDatabase } from "./statement-cache.ts";

export interface OpenDatabaseOptions {
  readonly path: string;
  /** The file may not grow beyond this; absent means that only the disk limits it. */
  readonly maxBytes?: number;
}

/** One connection to a SQLite file: the handle for pragmas and transactions, and Kysely on top of it. */
export interface OpenDatabase {
  readonly handle: Database.Database;
  readonly db: Kysely<Schema>;
}

/**
 * Opens a file, making it with mode 0600 when there is none. The write-ahead log takes the file's mode.
 *
 * @throws {StoreFailure} when it cannot be opened or is no database
 */
export function openDatabase({ path, maxBytes }: OpenDatabaseOptions): OpenDatabase {
  return withFaults(() => {
    closeSync(openSync(path, "a", 0o600));
    const handle = new Database(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      configure(handle, maxBytes);
    } catch (err) {
      handle.close();
      throw err;
    }
    return withKysely(handle);
  });
}

/** Puts Kysely on top of a connection. */
export function withKysely(handle: Database.Database): OpenDatabase {
  const dialect = new SqliteDialect({ database: cachingDatabase(handle) });
  return { handle, db: new Kysely<Schema>({ dialect }) };
}

/** How long a statement waits for another program, such as one that reads the file for a copy. */
const BUSY_TIMEOUT_MS = 5000;

function configure(handle: Database.Database, maxBytes: number | undefined): void {
  handle.pragma("journal_mode = WAL");
  // An answered write is on the disk. Without FULL the last commits before a power cut could be gone.
  handle.pragma("synchronous = FULL");
  handle.pragma("foreign_keys = ON");
  handle.pragma("trusted_schema = OFF");
  handle.pragma("cell_size_check = ON");
  handle.pragma("temp_store = MEMORY");
  handle.pragma("cache_size = -32000");
  // Large batches touch the same pages of the indexes again and again: let them gather before they are written in place.
  handle.pragma("wal_autocheckpoint = 8000");
  // The log file shrinks back to this after a large batch.
  handle.pragma("journal_size_limit = 67108864");
  if (maxBytes !== undefined) {
    const pageBytes = Number(handle.pragma("page_size", { simple: true }));
    handle.pragma(`max_page_count = ${Math.max(1, Math.floor(maxBytes / pageBytes))}`);
  }
}
