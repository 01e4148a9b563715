// Creating entries between two threads: only names and places travel back, because the records are those that were asked for.
import type { Change, Commit } from "../commit.ts";
import type { CreateEntries } from "../contract/entries.ts";
import type { ItemRefused, ItemResult } from "../contract/operation.ts";
import type { WriteRequest } from "../group.ts";
import { newRecords } from "../operations/entries/new-records.ts";
import type { EntryRecord } from "../records.ts";
import { packEntries, type SentEntries, unpackEntries } from "./sent-entries.ts";

type CreateRequest = Extract<WriteRequest, { readonly operation: "createEntries" }>;

/** A write on its way to the store's thread. */
export type SentRequest =
  | Exclude<WriteRequest, CreateRequest>
  | (Omit<CreateRequest, "input"> & {
      readonly input: Omit<CreateEntries, "entries"> & { readonly entries: SentEntries };
    });

/** What became of entries that were to be created: those that were refused, by place. */
export interface SentOutcome {
  readonly refused: readonly (readonly [place: number, refusal: ItemRefused<EntryRecord>])[];
}

/** Entries that a task created one after the other, by place. */
export interface SentCreated {
  readonly kind: "created";
  readonly task: number;
  readonly places: number[];
}

/** A commit on its way back. */
export interface SentCommit {
  readonly revision: bigint;
  readonly changes: readonly (Change | SentCreated)[];
}

/** Packs a request; with it come the records that the store will make of it, which the one who asks keeps. */
export function sendRequest(request: WriteRequest): {
  readonly sent: SentRequest;
  readonly records?: readonly EntryRecord[];
} {
  if (request.operation !== "createEntries") return { sent: request };
  const records = newRecords(request.input);
  const { now, actor } = request.input;
  return { records, sent: { ...request, input: { entries: packEntries(records), now, actor } } };
}

/** Unpacks a request in the store's thread. */
export function receiveRequest(sent: SentRequest): WriteRequest {
  if (sent.operation !== "createEntries") return sent;
  return { ...sent, input: { ...sent.input, entries: unpackEntries(sent.input.entries) } };
}

/** Packs what became of entries. */
export function sendOutcome(results: readonly ItemResult<EntryRecord>[]): SentOutcome {
  return { refused: results.flatMap((result, place) => (result.ok ? [] : [[place, result]])) };
}

/** Unpacks what became of entries, for the one who kept their records. */
export function receiveOutcome(
  records: readonly EntryRecord[],
  { refused }: SentOutcome,
): readonly ItemResult<EntryRecord>[] {
  const results = records.map((item): ItemResult<EntryRecord> => ({ ok: true, item }));
  for (const [place, refusal] of refused) results[place] = refusal;
  return results;
}

/**
 * Packs a commit.
 *
 * @param created by task, what became of the entries that it asked for
 */
export function sendCommit(
  { revision, changes }: Commit,
  created: ReadonlyMap<number, readonly ItemResult<EntryRecord>[]>,
): SentCommit {
  const origins = new Map<EntryRecord, { readonly task: number; readonly place: number }>();
  for (const [task, results] of created) {
    for (const [place, result] of results.entries()) {
      if (result.ok) origins.set(result.item, { task, place });
    }
  }
  const sent: (Change | SentCreated)[] = [];
  for (const change of changes) {
    const after = change.kind === "entry" ? change.after : undefined;
    const origin = after && origins.get(after);
    const last = sent.at(-1);
    if (origin === undefined) sent.push(change);
    else if (last?.kind === "created" && last.task === origin.task) last.places.push(origin.place);
    else sent.push({ kind: "created", task: origin.task, places: [origin.place] });
  }
  return { revision, changes: sent };
}

/**
 * Unpacks a commit.
 *
 * @param recordsOf the records that were kept for a task
 */
export function receiveCommit(
  { revision, changes }: SentCommit,
  recordsOf: (task: number) => readonly EntryRecord[],
): Commit {
  const received = changes.flatMap((change): readonly Change[] => {
    if (change.kind !== "created") return [change];
    const records = recordsOf(change.task);
    return change.places.map((place): Change => {
      const after = records[place];
      if (after === undefined) throw new Error(`store: task ${change.task} has no entry ${place}`);
      return { kind: "entry", id: after.id, action: "create", after };
    });
  });
  return { revision, changes: received };
}
