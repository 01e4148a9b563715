/**
 * The store keeps what must survive a restart and orders every change to it (D5). Callers see named operations with plain
 * input and output; which database runs them is decided where the store is opened.
 */
import type { Commit } from "./commit.ts";
import type { ReadOperations, WriteOperations } from "./contract/operations.ts";

/** What a write answers. */
export interface WriteResult<Output> {
  readonly output: Output;
  /** The revision that holds the change; the store's revision at that moment when the operation changed nothing. */
  readonly revision: bigint;
}

export interface WriteOptions {
  /** Runs the operation with all its checks, then takes every change of it back. */
  readonly dryRun?: boolean;
}

/** A copy of the store that {@link Store.backup} wrote. */
export interface BackupResult {
  readonly bytes: number;
  /** The last revision in the copy. */
  readonly revision: bigint;
  readonly incarnation: string;
}

/** Why writes fail at present. */
export interface StoreFault {
  readonly message: string;
  readonly reason: "store_full" | "store_io" | "store_corrupt" | "store_locked" | "store_closed";
}

/**
 * A store that is open. All methods reject with a StatusError: that of the operation itself, or UNAVAILABLE,
 * RESOURCE_EXHAUSTED (disk full) or INTERNAL from the store.
 */
export interface Store {
  /**
   * Runs one operation in a transaction of its own or together with others that wait; a caller that fails takes nothing of
   * the others back. Resolves when the change is durable and after every commit listener has run.
   */
  write<K extends keyof WriteOperations>(
    operation: K,
    input: WriteOperations[K]["input"],
    options?: WriteOptions,
  ): Promise<WriteResult<WriteOperations[K]["output"]>>;

  /** Runs one query. It sees every write that has resolved before the call. */
  read<K extends keyof ReadOperations>(
    operation: K,
    input: ReadOperations[K]["input"],
  ): Promise<ReadOperations[K]["output"]>;

  /** Names this line of history: a UUID that changes when a backup is restored. Revisions compare only within it. */
  readonly incarnation: string;

  /** The last revision whose listeners have run. */
  readonly revision: bigint;

  /** Set while writes fail for a reason of the store; cleared by the next write that succeeds. Reads may go on meanwhile. */
  readonly fault: StoreFault | undefined;

  /**
   * Calls `listener` once for each committed revision, in order and synchronously, before the writer's promise resolves. A
   * listener must be quick and must not throw.
   */
  onCommit(listener: (commit: Commit) => void): Disposable;

  /**
   * Writes a consistent copy while the store stays in use. The file appears whole, with mode 0600, or not at all.
   *
   * @throws {StatusError} ALREADY_EXISTS when there is a file at `path`
   */
  backup(path: string): Promise<BackupResult>;
}
