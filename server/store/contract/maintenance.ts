import type { LoggedChange } from "../commit.ts";
import type { AttestedNodeRecord, AuthorizedEntryRecord } from "../records.ts";
import type { Operation } from "./operation.ts";

/** What the store says about itself. */
export interface StoreState {
  readonly incarnation: string;
  readonly revision: bigint;
  /** Changes at or below this revision have left the log. */
  readonly logFloor: bigint;
  /** Raised by every revocation, and by 2^20 when a backup is restored. */
  readonly revocationEpoch: bigint;
  /** Number of the last migration that was applied. */
  readonly schemaVersion: number;
}

export interface ChangesSince {
  readonly revision: bigint;
  readonly limit: number;
}

/** A part of the change log. */
export interface LogExtract {
  /** Whole revisions only, oldest first. */
  readonly changes: readonly LoggedChange[];
  /** The revision that the extract reaches. */
  readonly through: bigint;
  /** The store's revision. */
  readonly head: bigint;
  /** When the asked revision is below it, the extract is empty and of no use. */
  readonly floor: bigint;
}

/** A record by its key; without the record when there is none any more. */
export interface KeyedRecord<Item> {
  readonly id: string;
  readonly record?: Item;
}

/** The records that changed after a revision, as they are at `head`. */
export interface RecordsSince {
  readonly head: bigint;
  readonly entries: readonly KeyedRecord<AuthorizedEntryRecord>[];
  readonly nodes: readonly KeyedRecord<AttestedNodeRecord>[];
}

export interface PruneLog {
  /** Changes at or before this instant go. */
  readonly before: number;
  /** Beyond this many changes, the oldest go. */
  readonly maxChanges: number;
  /** At most about this many go in one call. */
  readonly limit: number;
}

export interface MaintenanceWrites {
  /** An absent value removes the setting. */
  putSetting: Operation<{ readonly key: string; readonly value?: string }, undefined>;
  /** Answers the new epoch. */
  raiseRevocationEpoch: Operation<{ readonly by: bigint }, bigint>;
  /** Takes no revision. Answers how many changes went; 0 when there is nothing left to do. */
  pruneChangeLog: Operation<PruneLog, number>;
}

export interface MaintenanceReads {
  getSetting: Operation<{ readonly key: string }, string | undefined>;
  storeState: Operation<Record<string, never>, StoreState>;
  changesSince: Operation<ChangesSince, LogExtract>;
  /** Undefined when the log does not reach back that far, or too much has changed: then read everything. */
  recordsSince: Operation<{ readonly revision: bigint }, RecordsSince | undefined>;
}
