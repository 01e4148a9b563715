import type { Logger } from "../../runtime/log.ts";
import { SocketTakenError } from "../../runtime/peer/socket-file.ts";
import type { Clock } from "../../runtime/time/clock.ts";

/** What {@link Trouble} needs. */
export interface TroubleDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Somebody who has listened that long without coming here is not one of our agents. */
const TAKEN_WARN_MS = 10_000;

/** Says what keeps a holder from its socket: once, and not for what passes by itself. */
export class Trouble {
  readonly #deps: TroubleDeps;
  #sinceMs: number | undefined;
  #isSaid = false;

  constructor(deps: TroubleDeps) {
    this.#deps = deps;
  }

  /** The socket is there. */
  over(): void {
    this.#sinceMs = undefined;
    this.#isSaid = false;
  }

  /** An attempt to have it has failed. */
  met(err: unknown): void {
    const { clock, log } = this.#deps;
    this.#sinceMs ??= clock.monotonicMs();
    if (this.#isSaid) return;
    if (!(err instanceof SocketTakenError)) {
      log.error({ err }, "Workload socket cannot be bound");
      this.#isSaid = true;
    } else if (clock.monotonicMs() - this.#sinceMs >= TAKEN_WARN_MS) {
      log.warn("Somebody else listens on the workload socket");
      this.#isSaid = true;
    }
  }
}
