import type { SqliteStore } from "../../server/store/sqlite/sqlite-store.ts";
import { openSqliteStore } from "./open-store.ts";
import { TempDir } from "./temp-dir.ts";

/** A store in a real SQLite file that goes with the test. */
export class TestStore implements AsyncDisposable {
  readonly store: SqliteStore;
  readonly #dir: TempDir;

  private constructor(store: SqliteStore, dir: TempDir) {
    this.store = store;
    this.#dir = dir;
  }

  static async open(): Promise<TestStore> {
    const dir = await TempDir.open();
    return new TestStore(await openSqliteStore(dir.join("store.sqlite")), dir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }
}
