/**
 * Creates, changes and deletes entries for whoever may: the one way in for the public API, our own
 * and the registrar. Each item of a batch stands for itself.
 */
import { notFound, Status, StatusError } from "../../runtime/errors/status-error.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { timeOrderedUuid } from "../../runtime/uuid.ts";
import type { Grants } from "../config/roles.ts";
import type { EntryUpdate } from "../store/contract/entries.ts";
import type { ItemResult } from "../store/contract/operation.ts";
import type { EntryRecord } from "../store/records.ts";
import type { Store, WriteResult } from "../store/store.ts";
import { type EntryDraft, type EntryRevisionDraft, newEntryOf } from "./entry-draft.ts";
import { recordChangesOf } from "./entry-record.ts";
import {
  checkEntry,
  checkEntryAccess,
  checkRequirements,
  type EntryRequirements,
  type TtlLimits,
} from "./entry-rules.ts";

/** Who writes. */
export interface EntryWriter {
  readonly grants: Grants;
  /** The name that the entry's side record gets as creator or last changer. */
  readonly actor: string;
}

/** What became of one item. */
export type EntryOutcome = ItemResult<EntryRecord> & { readonly warnings: readonly string[] };

export interface EntryOutcomes {
  /** In the order of the items. */
  readonly outcomes: readonly EntryOutcome[];
  /** The revision that holds what was done. */
  readonly revision: bigint;
}

/** An item of a request, or why it could not be read. */
export type Attempt<T> = T | StatusError;

export interface EntryWriteOptions {
  readonly dryRun?: boolean;
}

export interface EntryWritesDeps {
  readonly store: Pick<Store, "read" | "write" | "revision">;
  readonly clock: Clock;
  readonly random: Random;
  readonly ttlLimits: () => TtlLimits;
  readonly requirements: () => EntryRequirements;
}

/** An item that passed the checks, ready for the store. */
interface Ready<T> {
  readonly input: T;
  readonly warnings: readonly string[];
}

export class EntryWrites {
  readonly #deps: EntryWritesDeps;

  constructor(deps: EntryWritesDeps) {
    this.#deps = deps;
  }

  create(
    items: readonly Attempt<EntryDraft>[],
    { grants, actor }: EntryWriter,
    options: EntryWriteOptions = {},
  ): Promise<EntryOutcomes> {
    const { store, clock, random } = this.#deps;
    const now = Math.floor(clock.now().getTime() / 1000);
    return this.#inBatch(
      items,
      (draft) => {
        const input = newEntryOf(draft, draft.id ?? timeOrderedUuid(clock.now(), random));
        return { input, warnings: this.#check(grants, input) };
      },
      (entries) => store.write("createEntries", { entries, now, actor }, options),
    );
  }

  update(
    items: readonly Attempt<EntryRevisionDraft>[],
    { grants, actor }: EntryWriter,
    options: EntryWriteOptions = {},
  ): Promise<EntryOutcomes> {
    return unlessChangedMeanwhile(items, async (attempted) => {
      const existing = await this.#existing(attempted);
      return this.#inBatch(
        attempted,
        ({ id, fields, extra }) => {
          const before = found(existing, id);
          checkEntryAccess(grants, before);
          const { side, ...rest } = extra;
          const set = { ...recordChangesOf(fields), ...rest };
          const after = { ...before, ...set, side: { ...before.side, ...side } };
          const input: EntryUpdate = {
            id,
            set: { ...set, ...(side && { side }) },
            expectedRevision: before.revisionNumber,
          };
          return { input, warnings: this.#check(grants, after) };
        },
        (updates) => this.#deps.store.write("updateEntries", { updates, actor }, options),
      );
    });
  }

  delete(
    ids: readonly string[],
    { grants }: EntryWriter,
    options: EntryWriteOptions = {},
  ): Promise<EntryOutcomes> {
    return unlessChangedMeanwhile(ids, async (attempted) => {
      const existing = await this.#existing(attempted.map((id) => ({ id })));
      const expectedRevisions = new Map(
        [...existing.values()].map(({ id, revisionNumber }) => [id, revisionNumber]),
      );
      return this.#inBatch(
        attempted,
        (input) => {
          checkEntryAccess(grants, found(existing, input));
          return { input, warnings: [] };
        },
        (accepted) =>
          this.#deps.store.write("deleteEntries", { ids: accepted, expectedRevisions }, options),
      );
    });
  }

  #check(grants: Grants, entry: Omit<EntryRecord, "revisionNumber" | "createdAt">) {
    const { ttlLimits, requirements } = this.#deps;
    checkEntry(entry, ttlLimits());
    checkEntryAccess(grants, entry);
    return checkRequirements(entry.side, requirements());
  }

  async #existing(
    items: readonly Attempt<{ readonly id: string }>[],
  ): Promise<ReadonlyMap<string, EntryRecord>> {
    const ids = items.flatMap((item) => (item instanceof StatusError ? [] : [item.id]));
    const records = await this.#deps.store.read("getEntries", { ids });
    return new Map(records.map((record) => [record.id, record]));
  }

  /** Checks each item, writes those that pass in one go, and puts the outcomes in the items' order. */
  async #inBatch<Item, Input>(
    items: readonly Attempt<Item>[],
    prepare: (item: Item) => Ready<Input>,
    write: (inputs: readonly Input[]) => Promise<WriteResult<readonly ItemResult<EntryRecord>[]>>,
  ): Promise<EntryOutcomes> {
    const prepared = items.map((item) => attempt(item, prepare));
    const ready = prepared.flatMap((each) => (each instanceof StatusError ? [] : each));
    const { output, revision } =
      ready.length === 0
        ? { output: [], revision: this.#deps.store.revision }
        : await write(ready.map(({ input }) => input));
    const results = output.values();
    const outcomes = prepared.map((each): EntryOutcome => {
      if (each instanceof StatusError) return refused(each);
      const result = results.next().value;
      if (result === undefined) throw new Error("store answered for fewer entries than it got");
      return { ...result, warnings: result.ok ? each.warnings : [] };
    });
    return { outcomes, revision };
  }
}

/** How often an entry may change between the look at it and the write before its writer is told so. */
const maxAttempts = 3;

/**
 * What a caller may do with an entry was decided by how the entry stood. Items that somebody else changed
 * in between are decided again.
 */
async function unlessChangedMeanwhile<Item>(
  items: readonly Item[],
  write: (items: readonly Item[]) => Promise<EntryOutcomes>,
): Promise<EntryOutcomes> {
  let { outcomes, revision } = await write(items);
  for (let attempts = 1; attempts < maxAttempts; attempts += 1) {
    const changed = outcomes.flatMap((each, at) => (isChangedMeanwhile(each) ? [at] : []));
    if (changed.length === 0) break;
    const again = await write(items.filter((_, at) => changed.includes(at)));
    const results = again.outcomes.values();
    outcomes = outcomes.map((each, at) =>
      changed.includes(at) ? (results.next().value ?? each) : each,
    );
    revision = again.revision;
  }
  return { outcomes, revision };
}

function isChangedMeanwhile(outcome: EntryOutcome): boolean {
  return !outcome.ok && outcome.code === Status.ABORTED;
}

function attempt<T, R>(item: Attempt<T>, prepare: (item: T) => R): Attempt<R> {
  if (item instanceof StatusError) return item;
  try {
    return prepare(item);
  } catch (err) {
    if (err instanceof StatusError) return err;
    throw err;
  }
}

function found(existing: ReadonlyMap<string, EntryRecord>, id: string): EntryRecord {
  const record = existing.get(id);
  if (record === undefined) throw notFound("entry not found", { reason: "entry_not_found" });
  return record;
}

function refused({ code, message }: StatusError): EntryOutcome {
  return { ok: false, code, message, warnings: [] };
}
