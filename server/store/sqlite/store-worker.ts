import { setImmediate as turn } from "node:timers/promises";
import { systemClock } from "../../../runtime/time/clock.ts";
import type { ItemResult } from "../contract/operation.ts";
import type { ReadOperations } from "../contract/operations.ts";
import { type GroupResult, runGroup, type WriteRequest } from "../group.ts";
import { readOperations } from "../operations/index.ts";
import type { EntryRecord } from "../records.ts";
import type { OpenDatabase } from "./database.ts";
import { withFaults } from "./faults.ts";
import type { Answer, Report, Task } from "./messages.ts";
import { receiveRequest, sendCommit, sendOutcome } from "./sent-creations.ts";
import { sendError } from "./sent-error.ts";

interface WriteTask {
  readonly id: number;
  readonly kind: "write";
  readonly request: WriteRequest;
}
type ReadTask = Extract<Task, { readonly kind: "read" }>;

/** A group takes no more callers after this long, so that nobody waits behind a queue of large batches. */
const GROUP_MS = 50;

/**
 * Does the store's work on its own thread. Whatever has gathered while one round ran is the next round: its queries first, then
 * its writes as one group in one transaction. Between rounds the event loop turns, so that new tasks and a running backup get
 * their share.
 */
export class StoreWorker {
  readonly #database: OpenDatabase;
  readonly #report: (report: Report) => void;
  #waiting: (ReadTask | WriteTask)[] = [];
  #running: Promise<void> | undefined;

  constructor(database: OpenDatabase, report: (report: Report) => void) {
    this.#database = database;
    this.#report = report;
  }

  /** Queues what it is for of these tasks, and starts working if nothing is under way. */
  accept(tasks: readonly Task[]): void {
    for (const task of tasks) {
      if (task.kind === "read") this.#waiting.push(task);
      else if (task.kind === "write")
        this.#waiting.push({ ...task, request: receiveRequest(task.request) });
    }
    if (this.#waiting.length === 0) return;
    this.#running ??= this.#work();
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const round = this.#waiting;
      this.#waiting = [];
      const reads = round.filter((task) => task.kind === "read");
      if (reads.length > 0) await this.#read(reads);
      const writes = round.filter((task) => task.kind === "write");
      if (writes.length > 0) await this.#write(writes);
      await turn();
    }
    this.#running = undefined;
  }

  async #read(tasks: readonly ReadTask[]): Promise<void> {
    const answers: Answer[] = [];
    for (const task of tasks) answers.push(await answer(task.id, () => this.#query(task)));
    this.#report({ kind: "answers", answers });
    // A scan comes past every page once: what it leaves in SQLite's cache serves nobody, and would stay there.
    const isScan = tasks.some(({ request }) => request.operation === "scanEntries");
    if (isScan) this.#database.handle.pragma("shrink_memory");
  }

  #query({ request }: ReadTask): Promise<unknown> {
    return runQuery(this.#database, request.operation, request.input);
  }

  async #write(tasks: readonly WriteTask[]): Promise<void> {
    let result: GroupResult;
    try {
      result = await this.#transaction(tasks.map((task) => task.request));
    } catch (err) {
      const error = sendError(err);
      const answers = tasks.map(({ id }): Answer => ({ id, ok: false, error }));
      this.#report({ kind: "answers", answers });
      return;
    }
    const { outcomes, commit, revision } = result;
    this.#waiting.unshift(...tasks.slice(outcomes.length));
    const created = new Map<number, readonly ItemResult<EntryRecord>[]>();
    const answers = outcomes.flatMap((outcome, index): Answer[] => {
      const task = tasks[index];
      if (task === undefined) return [];
      const { id, request } = task;
      if (!outcome.ok) return [{ id, ok: false, error: sendError(outcome.error) }];
      if (request.operation !== "createEntries") return [{ id, ok: true, output: outcome.output }];
      const results = outcome.output as readonly ItemResult<EntryRecord>[];
      created.set(id, results);
      return [{ id, ok: true, output: sendOutcome(results) }];
    });
    this.#report({
      kind: "group",
      revision,
      ...(commit !== undefined && { commit: sendCommit(commit, created) }),
      answers,
    });
  }

  async #transaction(requests: readonly WriteRequest[]): Promise<GroupResult> {
    const { handle, db } = this.#database;
    const endMs = systemClock.monotonicMs() + GROUP_MS;
    withFaults(() => handle.exec("begin immediate"));
    try {
      const result = await runGroup(db, requests, () => systemClock.monotonicMs() >= endMs);
      withFaults(() => handle.exec("commit"));
      return result;
    } catch (err) {
      // SQLite itself takes the transaction back on some failures, such as a full disk.
      if (handle.inTransaction) handle.exec("rollback");
      throw err;
    }
  }
}

/** Runs a task and packs what becomes of it. */
export async function answer(id: number, task: () => Promise<unknown>): Promise<Answer> {
  try {
    return { id, ok: true, output: await task() };
  } catch (err) {
    return { id, ok: false, error: sendError(err) };
  }
}

function runQuery<K extends keyof ReadOperations>(
  { db }: OpenDatabase,
  operation: K,
  input: ReadOperations[K]["input"],
): Promise<ReadOperations[K]["output"]> {
  return readOperations[operation](db, input);
}
