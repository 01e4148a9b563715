import { describeError } from "../../runtime/errors/describe.ts";
import { Feed } from "../../runtime/feed.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { ReloadSettings } from "../config/files-program-settings.ts";
import { NoProcess } from "./find-processes.ts";
import { reload } from "./reload.ts";

export interface ReloaderDeps {
  readonly settings: readonly ReloadSettings[];
  readonly counted: (outcome: "done" | "failed") => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const ATTEMPTS = 8;
const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 10_000;

/** Tells programs of new files, apart from the writing: a program that cannot be told does not hold the next files up. */
export class Reloader {
  readonly #deps: ReloaderDeps;
  readonly #requests = new Feed(0);
  #failure: string | undefined;
  #isFirst = true;

  constructor(deps: ReloaderDeps) {
    this.#deps = deps;
  }

  /** What went wrong the last time; undefined if nothing did. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Files have changed. */
  request(): void {
    this.#requests.set(this.#requests.value + 1);
  }

  /** Does what is requested until `signal` aborts; requests that come meanwhile become one. */
  async run(signal: AbortSignal): Promise<void> {
    for await (const request of this.#requests.subscribe(signal)) {
      if (request === 0) continue;
      const failures: string[] = [];
      for (const settings of this.#deps.settings) {
        const failure = await this.#reload(settings, request, signal);
        if (failure !== undefined) failures.push(failure);
      }
      this.#isFirst = false;
      this.#failure = failures.length === 0 ? undefined : failures.join("; ");
    }
  }

  async #reload(
    settings: ReloadSettings,
    request: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { clock, random, log, counted } = this.#deps;
    const backoff = new Backoff({ baseMs: FIRST_RETRY_MS, maxMs: MAX_RETRY_MS, random });
    for (let attempt = 1; ; attempt++) {
      try {
        await reload(settings, signal);
        counted("done");
        log.info({ reload: settings.type }, "Told the program of new files");
        return undefined;
      } catch (err) {
        if (signal.aborted) return undefined;
        if (err instanceof NoProcess && this.#isFirst) {
          // It reads the files when it starts.
          log.info({ reload: settings.type, detail: err.message }, "No program to be told yet");
          return undefined;
        }
        const isOver = attempt === ATTEMPTS || this.#requests.value !== request;
        if (isOver) {
          counted("failed");
          log.error(
            { reload: settings.type, err, attempt },
            "Program could not be told of new files",
          );
          return describeError(err);
        }
        log.debug({ reload: settings.type, err, attempt }, "Program could not be told yet");
      }
      await clock.sleep(backoff.nextMs(), signal);
      if (signal.aborted) return undefined;
    }
  }
}
