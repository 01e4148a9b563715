import { Worker } from "node:worker_threads";
import type { Random } from "../../../runtime/random.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { randomUuid } from "../../../runtime/uuid.ts";
import type { Commit } from "../commit.ts";
import type { ReadOperations, WriteOperations } from "../contract/operations.ts";
import type { WriteRequest } from "../group.ts";
import type { EntryRecord } from "../records.ts";
import type { BackupResult, Store, StoreFault, WriteOptions, WriteResult } from "../store.ts";
import { failureStatus } from "../store-failure.ts";
import type { Answer, ReadRequest, Report, Task, WorkerSetup } from "./messages.ts";
import { receiveCommit, receiveOutcome, type SentOutcome, sendRequest } from "./sent-creations.ts";
import { receiveError } from "./sent-error.ts";

export interface SqliteStoreOptions {
  /** The store file; made when there is none. Its folder must exist. Beside it lie "-wal", "-shm" and ".lock" files. */
  readonly path: string;
  /** The file may not grow beyond this; absent means that only the disk limits it. */
  readonly maxBytes?: number;
  readonly clock: Clock;
  readonly random: Random;
}

interface Waiting {
  readonly isWrite: boolean;
  /** Of entries that are to be created. */
  readonly records: readonly EntryRecord[] | undefined;
  resolve(answered: { readonly output: unknown; readonly revision: bigint }): void;
  reject(error: Error): void;
}

const CLOSED: StoreFault = { reason: "store_closed", message: "the store is closed" };

/**
 * The store in a SQLite file, for one server. All SQL runs in one worker thread, because SQLite's calls block; this side sends
 * operations there, a whole turn's worth in one message, and tells listeners of what was committed.
 */
export class SqliteStore implements Store, AsyncDisposable {
  readonly incarnation: string;
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #listeners = new Set<(commit: Commit) => void>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #outbox: Task[] = [];
  #lastId = 0;
  #revision: bigint;
  #fault: StoreFault | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    worker: Worker,
    opened: Extract<Report, { readonly kind: "open" }>,
    clock: Clock,
  ) {
    this.#worker = worker;
    this.#clock = clock;
    this.incarnation = opened.incarnation;
    this.#revision = opened.revision;
    worker.on("message", (report: Report) => this.#receive(report));
    this.#exited = new Promise((resolve) => {
      worker.on("error", (err) => this.#end(err));
      worker.on("exit", () => {
        this.#end();
        resolve();
      });
    });
  }

  /**
   * Opens the file, takes its lock, and brings its tables up to date.
   *
   * @throws {StatusError} FAILED_PRECONDITION with reason "store_in_use", "store_corrupt" or "store_too_new"; UNAVAILABLE when
   * the file cannot be opened
   */
  static async open({ path, maxBytes, clock, random }: SqliteStoreOptions): Promise<SqliteStore> {
    const setup: WorkerSetup = {
      path,
      newIncarnation: randomUuid(random),
      ...(maxBytes !== undefined && { maxBytes }),
    };
    const worker = new Worker(new URL("./worker.ts", import.meta.url), {
      name: "store",
      workerData: setup,
    });
    const first = await new Promise<Report>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", () => reject(failureStatus(CLOSED)));
    });
    if (first.kind === "open") return new SqliteStore(worker, first, clock);
    throw first.kind === "failed" ? receiveError(first.error) : failureStatus(CLOSED);
  }

  get revision(): bigint {
    return this.#revision;
  }

  get fault(): StoreFault | undefined {
    return this.#fault;
  }

  async write<K extends keyof WriteOperations>(
    operation: K,
    input: WriteOperations[K]["input"],
    { dryRun = false }: WriteOptions = {},
  ): Promise<WriteResult<WriteOperations[K]["output"]>> {
    const at = Math.floor(this.#clock.now().getTime() / 1000);
    const request = { operation, input, dryRun, at } as WriteRequest;
    const { sent, records } = sendRequest(request);
    const { output, revision } = await this.#ask(
      (id) => ({ id, kind: "write", request: sent }),
      true,
      records,
    );
    return { output: output as WriteOperations[K]["output"], revision };
  }

  async read<K extends keyof ReadOperations>(
    operation: K,
    input: ReadOperations[K]["input"],
  ): Promise<ReadOperations[K]["output"]> {
    const request = { operation, input } as ReadRequest;
    const { output } = await this.#ask((id) => ({ id, kind: "read", request }));
    return output as ReadOperations[K]["output"];
  }

  async backup(path: string): Promise<BackupResult> {
    const { output } = await this.#ask((id) => ({ id, kind: "backup", path }));
    return output as BackupResult;
  }

  onCommit(listener: (commit: Commit) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Finishes what was asked, closes the file and lets go of its lock. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#fault?.reason !== "store_closed") {
      const closed = this.#ask((id) => ({ id, kind: "close" }));
      this.#fault = CLOSED;
      await closed;
    }
    await this.#exited;
  }

  #ask(
    task: (id: number) => Task,
    isWrite = false,
    records?: readonly EntryRecord[],
  ): Promise<{ readonly output: unknown; readonly revision: bigint }> {
    if (this.#fault?.reason === "store_closed") return Promise.reject(failureStatus(this.#fault));
    this.#lastId += 1;
    const id = this.#lastId;
    if (this.#outbox.length === 0) queueMicrotask(() => this.#send());
    this.#outbox.push(task(id));
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { isWrite, records, resolve, reject });
    });
  }

  #send(): void {
    const tasks = this.#outbox;
    this.#outbox = [];
    this.#worker.postMessage(tasks);
  }

  #receive(report: Report): void {
    if (report.kind === "group") {
      if (this.#fault?.reason !== "store_closed") this.#fault = undefined;
      this.#revision = report.revision;
      if (report.commit !== undefined) {
        const commit = receiveCommit(report.commit, (id) => this.#waiting.get(id)?.records ?? []);
        for (const listener of this.#listeners) listener(commit);
      }
    }
    if (report.kind === "group" || report.kind === "answers") {
      for (const answer of report.answers) this.#settle(answer);
    }
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.ok) {
      const output =
        waiting?.records === undefined
          ? answer.output
          : receiveOutcome(waiting.records, answer.output as SentOutcome);
      waiting?.resolve({ output, revision: this.#revision });
      return;
    }
    const { error } = answer;
    const isFault = error.kind === "fault" && waiting?.isWrite === true;
    if (isFault && this.#fault?.reason !== "store_closed") this.#fault = error.fault;
    waiting?.reject(receiveError(error));
  }

  #end(cause?: unknown): void {
    this.#fault = CLOSED;
    const error = failureStatus(CLOSED, cause);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
