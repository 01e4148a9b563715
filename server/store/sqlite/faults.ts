import Database from "better-sqlite3";
import { StoreFailure } from "../store-failure.ts";

/** Runs `action`, telling failures of the database from mistakes in a statement. */
export function withFaults<Result>(action: () => Result): Result {
  try {
    return action();
  } catch (err) {
    throw toFailure(err);
  }
}

/** The StoreFailure for what SQLite says of the disk, the file or its locks; any other error as it is. */
export function toFailure(err: unknown): unknown {
  if (!(err instanceof Database.SqliteError)) return err;
  const kind = err.code.split("_").slice(0, 2).join("_");
  switch (kind) {
    case "SQLITE_FULL":
      return new StoreFailure("store_full", "the store is full: its disk or its size limit", {
        cause: err,
      });
    case "SQLITE_CORRUPT":
    case "SQLITE_NOTADB":
      return new StoreFailure("store_corrupt", "the store file is damaged", { cause: err });
    case "SQLITE_BUSY":
    case "SQLITE_LOCKED":
      return new StoreFailure("store_locked", "another program holds the store file", {
        cause: err,
      });
    case "SQLITE_IOERR":
    case "SQLITE_READONLY":
    case "SQLITE_CANTOPEN":
    case "SQLITE_NOMEM":
      return new StoreFailure("store_io", "the store file cannot be read or written", {
        cause: err,
      });
    default:
      return err;
  }
}
