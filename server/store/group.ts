import { type Kysely, sql } from "kysely";
import type { Change, Commit } from "./commit.ts";
import type { WriteOperations } from "./contract/operations.ts";
import { appendChanges } from "./operations/change-log.ts";
import type { WriteContext } from "./operations/context.ts";
import { writeOperations } from "./operations/index.ts";
import { Prepared } from "./operations/prepared.ts";
import { advanceState, lockState } from "./operations/store-state.ts";
import type { Schema } from "./schema.ts";
import { StoreFailure } from "./store-failure.ts";

/** One caller's write. */
export type WriteRequest = {
  readonly [K in keyof WriteOperations]: {
    readonly operation: K;
    readonly input: WriteOperations[K]["input"];
    /** Takes every change back after the operation ran. */
    readonly dryRun: boolean;
    /** When the caller asked, in Unix seconds. */
    readonly at: number;
  };
}[keyof WriteOperations];

/** What became of one caller's write. */
export type WriteOutcome =
  | { readonly ok: true; readonly output: unknown }
  | { readonly ok: false; readonly error: unknown };

/** What became of a group. */
export interface GroupResult {
  /** One for each request that was taken, in order. They are true only once the transaction is committed. */
  readonly outcomes: readonly WriteOutcome[];
  /** Absent when nothing changed; then no revision was taken. */
  readonly commit?: Commit;
  /** The store's revision after the group. */
  readonly revision: bigint;
}

/**
 * Runs the writes of all who wait inside the open transaction: each caller behind a savepoint of its own, so that one that
 * fails takes back only what is its own, and all of them under one revision, so that the cost of making them durable is paid
 * once. The caller of this function commits, or rolls back when it throws.
 *
 * @param enough asked after each request; when true, the rest is left for the next group
 * @throws {StoreFailure} when the database itself fails: then nothing of the group may stay
 */
export async function runGroup(
  db: Kysely<Schema>,
  requests: readonly WriteRequest[],
  enough: () => boolean,
): Promise<GroupResult> {
  const state = await lockState(db);
  const at = requests.reduce((latest, request) => Math.max(latest, request.at), 0);
  const changes: Change[] = [];
  let nextKey = state.next_key;
  const context: WriteContext = {
    db,
    at,
    allocateKeys(count) {
      nextKey += count;
      return nextKey - count;
    },
    record: (change) => void changes.push(change),
  };
  const outcomes: WriteOutcome[] = [];
  for (const request of requests) {
    const mark = { changes: changes.length, nextKey };
    await savepoint.run(db, []);
    const outcome = await run(context, request);
    if (!outcome.ok || request.dryRun) {
      await sql`rollback to savepoint caller`.execute(db);
      changes.length = mark.changes;
      nextKey = mark.nextKey;
    }
    await release.run(db, []);
    outcomes.push(outcome);
    if (enough()) break;
  }
  const revision = state.revision + (changes.length > 0 ? 1 : 0);
  if (changes.length > 0) await appendChanges(db, revision, state.next_change, at, changes);
  await advanceState(db, {
    revision,
    next_key: nextKey,
    next_change: state.next_change + changes.length,
  });
  return {
    outcomes,
    revision: BigInt(revision),
    ...(changes.length > 0 && { commit: { revision: BigInt(revision), changes } }),
  };
}

const savepoint = new Prepared((db) => ({ compile: () => sql`savepoint caller`.compile(db) }));
const release = new Prepared((db) => ({
  compile: () => sql`release savepoint caller`.compile(db),
}));

async function run(context: WriteContext, request: WriteRequest): Promise<WriteOutcome> {
  try {
    return { ok: true, output: await runOperation(context, request.operation, request.input) };
  } catch (error) {
    if (error instanceof StoreFailure) throw error;
    return { ok: false, error };
  }
}

function runOperation<K extends keyof WriteOperations>(
  context: WriteContext,
  operation: K,
  input: WriteOperations[K]["input"],
): Promise<WriteOperations[K]["output"]> {
  return writeOperations[operation](context, input);
}
