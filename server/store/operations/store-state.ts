import type { Kysely, Selectable } from "kysely";
import { schemaVersion } from "../migrations/migrate.ts";
import type { Schema, StoreStateTable } from "../schema.ts";
import type { ReadOperation, WriteOperation } from "./context.ts";
import { Prepared } from "./prepared.ts";

/** The one row of the store's state. */
export type StateRow = Selectable<StoreStateTable>;

const STATE_ID = 1;

/** Reads the state. */
export async function readState(db: Kysely<Schema>): Promise<StateRow> {
  return await db
    .selectFrom("store_state")
    .selectAll()
    .where("id", "=", STATE_ID)
    .executeTakeFirstOrThrow();
}

/** Takes the state for this transaction, so that no other writer can start before it ends, and reads it. */
export async function lockState(db: Kysely<Schema>): Promise<StateRow> {
  const [state] = await lock.run(db, [STATE_ID]);
  if (state === undefined) throw new Error("store: it has no state");
  return state;
}

const lock = new Prepared<StateRow>((db) =>
  db
    .updateTable("store_state")
    .set((state) => ({ revision: state.ref("revision") }))
    .where("id", "=", STATE_ID)
    .returningAll(),
);

/** Writes how far the counters have come. */
export async function advanceState(
  db: Kysely<Schema>,
  { revision, next_key, next_change }: Pick<StateRow, "revision" | "next_key" | "next_change">,
): Promise<void> {
  await advance.run(db, [revision, next_key, next_change, STATE_ID]);
}

const advance = new Prepared((db) =>
  db
    .updateTable("store_state")
    .set({ revision: 0, next_key: 0, next_change: 0 })
    .where("id", "=", STATE_ID),
);

/** Starts the history of a new store. Does nothing to one that has a history. */
export async function createState(db: Kysely<Schema>, incarnation: string): Promise<void> {
  await db
    .insertInto("store_state")
    .values({
      id: STATE_ID,
      incarnation,
      revision: 0,
      revocation_epoch: 0,
      log_floor: 0,
      next_key: 1,
      next_change: 1,
    })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .execute();
}

export const storeState: ReadOperation<"storeState"> = async (db) => {
  const row = await readState(db);
  return {
    incarnation: row.incarnation,
    revision: BigInt(row.revision),
    logFloor: BigInt(row.log_floor),
    revocationEpoch: BigInt(row.revocation_epoch),
    schemaVersion: await schemaVersion(db),
  };
};

/** The epoch's change is told to the listeners as that of a setting with this key. */
export const REVOCATION_EPOCH_SETTING = "revocation_epoch";

export const raiseRevocationEpoch: WriteOperation<"raiseRevocationEpoch"> = async (
  { db, record },
  { by },
) => {
  const { revocation_epoch: current } = await readState(db);
  const raised = current + Number(by);
  await db
    .updateTable("store_state")
    .set({ revocation_epoch: raised })
    .where("id", "=", STATE_ID)
    .execute();
  const key = REVOCATION_EPOCH_SETTING;
  record({
    kind: "setting",
    id: key,
    action: "update",
    before: { key, value: String(current) },
    after: { key, value: String(raised) },
  });
  return BigInt(raised);
};
