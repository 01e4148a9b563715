import type { Kysely } from "kysely";
import type { Change, EntryKeys, LoggedChange } from "../commit.ts";
import type { SelectorRecord } from "../records.ts";
import type { Schema } from "../schema.ts";
import type { ReadOperation, WriteOperation } from "./context.ts";
import { PreparedInsert } from "./prepared.ts";
import { readState } from "./store-state.ts";

/** What a line of the log keeps of the record before the change. Entries only. */
interface BeforeKeys extends EntryKeys {
  /** Of entries that expired, so that a refusal can still be explained by them. */
  readonly selectors?: readonly SelectorRecord[];
  readonly expiresAt?: number;
}

/** Writes the lines of one revision. */
export async function appendChanges(
  db: Kysely<Schema>,
  revision: number,
  firstOrdinal: number,
  at: number,
  changes: readonly Change[],
): Promise<void> {
  const rows = changes.map((change, seq) => ({
    revision,
    seq,
    ordinal: firstOrdinal + seq,
    at,
    kind: change.kind,
    id: change.id,
    action: change.action,
    before_keys: formatBeforeKeys(change),
  }));
  await insertChanges.run(db, rows);
}

const insertChanges = new PreparedInsert("changes", [
  "revision",
  "seq",
  "ordinal",
  "at",
  "kind",
  "id",
  "action",
  "before_keys",
]);

function formatBeforeKeys(change: Change): string | null {
  if (change.kind !== "entry" || change.before === undefined) return null;
  const { spiffeId, parentId, selectors, expiresAt } = change.before;
  const keys: BeforeKeys =
    change.action === "expire"
      ? { spiffeId, parentId, selectors, expiresAt }
      : { spiffeId, parentId };
  return JSON.stringify(keys);
}

/** Reads what a line keeps of the entry before the change. */
export function parseBeforeKeys(text: string | null): BeforeKeys | undefined {
  return text === null ? undefined : JSON.parse(text);
}

/** Reads whole revisions, so that whoever follows the log never stops inside one. */
export const changesSince: ReadOperation<"changesSince"> = async (db, { revision, limit }) => {
  const { revision: head, log_floor: floor } = await readState(db);
  const none = { changes: [], through: revision, head: BigInt(head), floor: BigInt(floor) };
  if (revision < none.floor || revision >= none.head) return none;
  const last = await db
    .selectFrom("changes")
    .select("revision")
    .where("revision", ">", Number(revision))
    .orderBy("revision")
    .orderBy("seq")
    .offset(Math.max(1, limit) - 1)
    .limit(1)
    .executeTakeFirst();
  const through = last?.revision ?? head;
  const rows = await db
    .selectFrom("changes")
    .selectAll()
    .where("revision", ">", Number(revision))
    .where("revision", "<=", through)
    .orderBy("revision")
    .orderBy("seq")
    .execute();
  const changes = rows.map((row): LoggedChange => {
    const before = parseBeforeKeys(row.before_keys);
    return {
      revision: BigInt(row.revision),
      kind: row.kind as LoggedChange["kind"],
      id: row.id,
      action: row.action as LoggedChange["action"],
      ...(before && { before: { spiffeId: before.spiffeId, parentId: before.parentId } }),
    };
  });
  return { ...none, changes, through: BigInt(through) };
};

/** Takes the oldest whole revisions out, a bounded piece at a time, and raises the floor with them. */
export const pruneChangeLog: WriteOperation<"pruneChangeLog"> = async (
  { db },
  { before, maxChanges, limit },
) => {
  const { next_change: nextChange } = await readState(db);
  const oldest = await db
    .selectFrom("changes")
    .select(["revision", "ordinal", "at"])
    .orderBy("revision")
    .orderBy("seq")
    .limit(limit)
    .execute();
  const kept = oldest.findIndex(
    ({ ordinal, at }) => at > before && ordinal >= nextChange - maxChanges,
  );
  const floor = oldest.at(kept === -1 ? -1 : kept - 1)?.revision;
  if (kept === 0 || floor === undefined) return 0;
  const gone = await db
    .deleteFrom("changes")
    .where("revision", "<=", floor)
    .executeTakeFirstOrThrow();
  await db.updateTable("store_state").set({ log_floor: floor }).execute();
  return Number(gone.numDeletedRows);
};
