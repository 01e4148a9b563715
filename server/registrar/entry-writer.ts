import { setImmediate } from "node:timers/promises";
import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { EntryApi } from "./entry-api.ts";
import type { EntryBook, GroupChanges } from "./entry-book.ts";
import type { RegistrarMetrics } from "./metrics.ts";
import { WriteBatch, type WriteProblem } from "./write-batch.ts";

/** What writing needs. */
export interface EntryWriterDeps {
  readonly cluster: string;
  readonly api: Pick<EntryApi, "create" | "update" | "delete">;
  readonly book: EntryBook;
  /** Decides anew what a group needs; undefined when it is to be left alone. */
  readonly plan: (group: string) => GroupChanges | undefined;
  /** Told what the server refused of a group that was looked at; an empty list when all is well. */
  readonly written: (group: string, problems: readonly WriteProblem[]) => void;
  readonly metrics: RegistrarMetrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Most entries in one call, but for those of the last group. */
const MAX_BATCH = 500;
/** Batches under way at a time: a slow one must not hold up the rest. */
const MAX_CALLS = 4;
/** How long groups are looked at before others get their turn. */
const SLICE_MS = 10;

/**
 * Brings entries to where they are to be. Groups that changed wait in a set, so however often one changes it is looked at once, when
 * its turn comes, as it is then. A group is in one batch at a time, which keeps its writes in order.
 */
export class EntryWriter {
  readonly #deps: EntryWriterDeps;
  readonly #backoff: Backoff;
  /** By group: when it was first asked for. */
  readonly #waiting = new Map<string, number>();
  readonly #underWay = new Set<string>();
  readonly #calls = new Set<Promise<void>>();
  #wake: (() => void) | undefined;
  /** While a call has failed and nothing new is sent. */
  #pause: Promise<void> | undefined;

  constructor(deps: EntryWriterDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff({ baseMs: 100, maxMs: 5_000, random: deps.random });
  }

  /** How many groups wait or are being written. */
  get pending(): number {
    return this.#waiting.size + this.#underWay.size;
  }

  /** Has a group looked at. Returns at once. */
  want(group: string): void {
    if (!this.#waiting.has(group)) this.#waiting.set(group, this.#deps.clock.monotonicMs());
    this.#wake?.();
  }

  /** Whether a group waits or is being written. */
  isPending(group: string): boolean {
    return this.#waiting.has(group) || this.#underWay.has(group);
  }

  /** Writes what is wanted until `signal` aborts; then waits for what is under way. */
  async run(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake?.();
    signal.addEventListener("abort", wake);
    while (!signal.aborted) {
      const batch = this.#isFree ? this.#take() : undefined;
      if (batch === undefined) await this.#change(signal);
      else if (batch.size === 0) await setImmediate();
      else this.#start(batch, signal);
    }
    signal.removeEventListener("abort", wake);
    await Promise.all(this.#calls);
  }

  get #isFree(): boolean {
    return this.#calls.size < MAX_CALLS && this.#pause === undefined;
  }

  #start(batch: WriteBatch, signal: AbortSignal): void {
    const call = this.#send(batch, signal).finally(() => {
      this.#calls.delete(call);
      this.#wake?.();
    });
    this.#calls.add(call);
  }

  /** Resolves when there may be something to do. */
  async #change(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const hasWork = this.#waiting.keys().some((group) => !this.#underWay.has(group));
    if (signal.aborted || (this.#isFree && hasWork)) resolve();
    await promise;
    this.#wake = undefined;
  }

  /** The next batch; an empty one when what was looked at needs nothing. Undefined when there is nothing to look at. */
  #take(): WriteBatch | undefined {
    const { clock, plan, written } = this.#deps;
    const startMs = clock.monotonicMs();
    const batch = new WriteBatch();
    let isIdle = true;
    for (const [group, since] of this.#waiting) {
      if (this.#underWay.has(group)) continue;
      isIdle = false;
      this.#waiting.delete(group);
      const changes = plan(group);
      if (changes !== undefined && batch.add(group, changes, since)) this.#underWay.add(group);
      else if (changes !== undefined) written(group, []);
      if (batch.size >= MAX_BATCH || clock.monotonicMs() - startMs > SLICE_MS) break;
    }
    return isIdle ? undefined : batch;
  }

  async #send(batch: WriteBatch, signal: AbortSignal): Promise<void> {
    const { api, book, cluster, metrics, clock, log } = this.#deps;
    try {
      await batch.write(api, book, cluster, signal);
    } catch (err) {
      await this.#failed(err, signal);
      for (const [group, since] of batch.since) {
        this.#underWay.delete(group);
        if (!this.#waiting.has(group)) this.#waiting.set(group, since);
      }
      return;
    }
    this.#backoff.reset();
    metrics.written.inc({ cluster }, batch.size);
    const nowMs = clock.monotonicMs();
    for (const [group, since] of batch.since) {
      metrics.lag.observe({ cluster }, (nowMs - since) / 1000);
      this.#underWay.delete(group);
      this.#deps.written(group, batch.problemsOf(group));
    }
    for (const group of batch.again) this.want(group);
    log.debug({ entries: batch.size }, "Wrote entries");
  }

  /** Calls that fail together wait together: a server that is away is asked once in a while, not by each of them. */
  async #failed(err: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#pause ??= this.#rest(err, signal).finally(() => {
      this.#pause = undefined;
    });
    await this.#pause;
  }

  async #rest(err: unknown, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const delayMs = this.#backoff.nextMs();
    log.warn(
      { reason: describeError(err), retry_in_ms: Math.round(delayMs) },
      "Entries could not be written",
    );
    await clock.sleep(delayMs, signal);
  }
}
