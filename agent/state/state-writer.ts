import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { writeStateFile } from "./state-file.ts";

export interface StateWriterDeps {
  readonly path: string;
  /** Puts the state together as it is now, encoded. */
  readonly collect: () => Uint8Array;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Additions may be lost in a crash, since the server sends them again; they are gathered for this long. */
const GATHER_MS = 500;
/** After a failed write the next attempt comes no sooner. */
const RETRY_MS = 5_000;

/**
 * Writes the state file. Whoever took something away calls `flush` and waits, since what was revoked must stay so after a
 * crash; whoever added something calls `touch`. One write at a time; requests that come meanwhile share the next one.
 */
export class StateWriter implements AsyncDisposable {
  readonly #deps: StateWriterDeps;
  readonly #end = new AbortController();
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();
  #gathering: Promise<void> | undefined;

  constructor(deps: StateWriterDeps) {
    this.#deps = deps;
  }

  /** Says that the state has changed; it is written soon. */
  touch(): void {
    if (this.#end.signal.aborted) return;
    this.#gathering ??= this.#gather(GATHER_MS);
  }

  /** Resolves once everything that has changed so far is durable. @throws {Error} when it cannot be written */
  flush(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      const writing = writeStateFile(this.#deps.path, this.#deps.collect());
      this.#running = writing.catch(() => undefined);
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

  async #gather(ms: number): Promise<void> {
    await this.#deps.clock.sleep(ms, this.#end.signal);
    this.#gathering = undefined;
    try {
      await this.flush();
    } catch (err) {
      this.#deps.log.error({ err, path: this.#deps.path }, "State file cannot be written");
      if (!this.#end.signal.aborted) this.#gathering ??= this.#gather(RETRY_MS);
    }
  }
}
