import Database from "better-sqlite3";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Commit } from "../../server/store/commit.ts";
import type { ReadOperations, WriteOperations } from "../../server/store/contract/operations.ts";
import { runGroup, type WriteRequest } from "../../server/store/group.ts";
import { migrations } from "../../server/store/migrations/index.ts";
import { migrate } from "../../server/store/migrations/migrate.ts";
import { readOperations } from "../../server/store/operations/index.ts";
import { createState } from "../../server/store/operations/store-state.ts";
import { type OpenDatabase, withKysely } from "../../server/store/sqlite/database.ts";
import { sqliteFacts } from "../../server/store/sqlite/facts.ts";
import type {
  BackupResult,
  Store,
  StoreFault,
  WriteOptions,
  WriteResult,
} from "../../server/store/store.ts";
import { failureStatus } from "../../server/store/store-failure.ts";
import { FakeClock } from "./fake-clock.ts";

/**
 * A store in memory: the real operations on a real database, without file, thread or group commit. Writes run one after the
 * other. Set `fault` to let every write fail.
 */
export class MemoryStore implements Store, Disposable {
  readonly incarnation = "0195f1a0-0000-7000-8000-000000000001";
  fault: StoreFault | undefined;
  readonly #database: OpenDatabase;
  readonly #clock: Clock;
  /** Every statement that ran, with its values. */
  readonly #executed: readonly string[];
  readonly #listeners = new Set<(commit: Commit) => void>();
  #revision = 0n;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(database: OpenDatabase, clock: Clock, executed: readonly string[]) {
    this.#database = database;
    this.#clock = clock;
    this.#executed = executed;
  }

  static async open(clock: Clock = new FakeClock()): Promise<MemoryStore> {
    const executed: string[] = [];
    const handle = new Database(":memory:", { verbose: (text) => executed.push(String(text)) });
    handle.pragma("foreign_keys = ON");
    const store = new MemoryStore(withKysely(handle), clock, executed);
    await migrate(store.#database.db, migrations, sqliteFacts);
    await createState(store.#database.db, store.incarnation);
    return store;
  }

  get revision(): bigint {
    return this.#revision;
  }

  async write<K extends keyof WriteOperations>(
    operation: K,
    input: WriteOperations[K]["input"],
    { dryRun = false }: WriteOptions = {},
  ): Promise<WriteResult<WriteOperations[K]["output"]>> {
    const at = Math.floor(this.#clock.now().getTime() / 1000);
    const request = structuredClone({ operation, input, dryRun, at }) as WriteRequest;
    return await this.#inTurn(async () => {
      if (this.fault !== undefined) throw failureStatus(this.fault);
      const { handle, db } = this.#database;
      handle.exec("begin");
      const { outcomes, commit, revision } = await runGroup(db, [request], () => false);
      handle.exec("commit");
      this.#revision = revision;
      if (commit !== undefined) for (const listener of this.#listeners) listener(commit);
      const [outcome] = outcomes;
      if (outcome?.ok !== true) throw outcome?.error;
      return { output: outcome.output as WriteOperations[K]["output"], revision };
    });
  }

  async read<K extends keyof ReadOperations>(
    operation: K,
    input: ReadOperations[K]["input"],
  ): Promise<ReadOperations[K]["output"]> {
    return await this.#inTurn(() => readOperations[operation](this.#database.db, input));
  }

  onCommit(listener: (commit: Commit) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  backup(): Promise<BackupResult> {
    return Promise.reject(failureStatus({ reason: "store_io", message: "there is no file" }));
  }

  /** The database itself, for tests that look at tables. */
  get handle(): Database.Database {
    return this.#database.handle;
  }

  /** The statements that `action` runs, with their values, those that begin and end transactions included. */
  async statementsOf(action: () => Promise<unknown>): Promise<readonly string[]> {
    const from = this.#executed.length;
    await action();
    return this.#executed.slice(from);
  }

  /** How SQLite runs the queries that `action` makes, one text a query, for tests that hold queries to their indexes. */
  async plansOf(action: () => Promise<unknown>): Promise<readonly string[]> {
    const statements = await this.statementsOf(action);
    const queries = statements.filter((text) => /^select/i.test(text));
    return queries.map((text) => {
      const steps = this.handle.prepare<[], { readonly detail: string }>(
        `explain query plan ${text}`,
      );
      return steps
        .all()
        .map(({ detail }) => detail)
        .join("\n");
    });
  }

  [Symbol.dispose](): void {
    this.#database.handle.close();
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
