import { failedPrecondition } from "../../../runtime/errors/status-error.ts";
import { migrations } from "../migrations/index.ts";
import { migrate } from "../migrations/migrate.ts";
import { createState } from "../operations/store-state.ts";
import { StoreFailure } from "../store-failure.ts";
import { type OpenDatabase, type OpenDatabaseOptions, openDatabase } from "./database.ts";
import { sqliteFacts } from "./facts.ts";

export interface OpenStoreOptions extends OpenDatabaseOptions {
  /** The incarnation to give to a store that does not exist yet. */
  readonly newIncarnation: string;
}

/**
 * Opens the file, brings its tables up to date and starts its history if it is new. Whoever calls holds the lock file.
 *
 * @throws {StatusError} FAILED_PRECONDITION when the file is damaged or too new, with the way out
 */
export async function openStore(options: OpenStoreOptions): Promise<OpenDatabase> {
  let database: OpenDatabase | undefined;
  try {
    database = openDatabase(options);
    await migrate(database.db, migrations, sqliteFacts);
    await createState(database.db, options.newIncarnation);
    return database;
  } catch (err) {
    database?.handle.close();
    if (err instanceof StoreFailure && err.reason === "store_corrupt")
      throw damaged(options.path, err);
    throw err;
  }
}

function damaged(path: string, cause: StoreFailure): Error {
  return failedPrecondition(
    `the store ${path} is damaged or no store at all: put a backup in its place with ` +
      "`assay server restore`, see docs/operations/store.md",
    { reason: "store_corrupt", cause },
  );
}
