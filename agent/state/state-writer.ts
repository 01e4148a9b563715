import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { writeStateFile } from "./state-file.ts";

export interface StateWriterDeps {
  readonly path: string;
  /** The state as it is at the call, in pieces that are encoded one by one, when they are asked for. */
  readonly collect: () => Iterable<Uint8Array>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Additions may be lost in a crash, since the server sends them again; they are gathered for this long. */
const GATHER_MS = 500;
/** The same for what only takes the place of something that the file holds and that is good for longer than this. */
const GATHER_RENEWED_MS = 5_000;
/** After a failed write the next attempt comes no later. */
const RETRY_MS = 5_000;

/**
 * Writes the state file. Whoever took something away calls `flush` and waits, since what was revoked must stay so after a
 * crash; whoever added something calls `touch`, and `touchRenewed` for what the file holds an earlier one of that still does. One
 * write at a time; requests that come meanwhile share the next one.
 */
export class StateWriter implements AsyncDisposable {
  readonly #deps: StateWriterDeps;
  readonly #end = new AbortController();
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();
  #gathering: Promise<void> | undefined;
  /** Monotonic time at which what was gathered is to be written; Infinity when nothing was. */
  #dueAtMs = Number.POSITIVE_INFINITY;
  #sooner = new AbortController();

  constructor(deps: StateWriterDeps) {
    this.#deps = deps;
  }

  /** Says that the state has changed; it is written soon. */
  touch(): void {
    this.#writeWithin(GATHER_MS);
  }

  /** Says that something has a successor, while the file holds one that would do for a while. */
  touchRenewed(): void {
    this.#writeWithin(GATHER_RENEWED_MS);
  }

  /** Resolves once everything that has changed so far is durable. @throws {Error} when it cannot be written */
  flush(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      this.#dueAtMs = Number.POSITIVE_INFINITY;
      const writing = writeStateFile(this.#deps.path, this.#deps.collect());
      this.#running = writing.catch(() => this.#writeWithin(RETRY_MS));
      return writing;
    });
    return this.#next;
  }

  /** Writes what is left and stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#gathering;
    await this.#running;
  }

  #writeWithin(ms: number): void {
    if (this.#end.signal.aborted) return;
    const atMs = this.#deps.clock.monotonicMs() + ms;
    if (atMs >= this.#dueAtMs) return;
    this.#dueAtMs = atMs;
    this.#sooner.abort();
    this.#gathering ??= this.#gather();
  }

  async #gather(): Promise<void> {
    const { clock, log, path } = this.#deps;
    // Whoever flushes meanwhile writes what was gathered too, and then there may be nothing left, or something later.
    while (this.#dueAtMs !== Number.POSITIVE_INFINITY) {
      const ms = this.#dueAtMs - clock.monotonicMs();
      if (ms > 0 && !this.#end.signal.aborted) {
        this.#sooner = new AbortController();
        await clock.sleep(ms, AbortSignal.any([this.#end.signal, this.#sooner.signal]));
        continue;
      }
      await this.flush().catch((err: unknown) => {
        log.error({ err, path }, "State file cannot be written");
      });
    }
    this.#gathering = undefined;
  }
}
