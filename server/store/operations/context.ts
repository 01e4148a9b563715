import type { Kysely } from "kysely";
import type { Change } from "../commit.ts";
import type { ReadOperations, WriteOperations } from "../contract/operations.ts";
import type { Schema } from "../schema.ts";

/** What a write operation works with. It is good for one call inside one transaction. */
export interface WriteContext {
  /** The open transaction. */
  readonly db: Kysely<Schema>;
  /** When the group of writes started, for the change log. */
  readonly at: number;
  /** Takes `count` consecutive keys for new rows and returns the first. */
  allocateKeys(count: number): number;
  /** Notes a change for the log and for the listeners. An operation notes every record that it changes. */
  record(change: Change): void;
}

/** One write operation: portable SQL on the open transaction. A StatusError that it throws reaches the caller as it is. */
export type WriteOperation<K extends keyof WriteOperations> = (
  context: WriteContext,
  input: WriteOperations[K]["input"],
) => Promise<WriteOperations[K]["output"]>;

/** One query. */
export type ReadOperation<K extends keyof ReadOperations> = (
  db: Kysely<Schema>,
  input: ReadOperations[K]["input"],
) => Promise<ReadOperations[K]["output"]>;
