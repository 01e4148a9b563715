import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Authorities } from "./authorities.ts";
import { type AuthorityLane, laneName } from "./authority-lane.ts";
import { type AuthorityStep, nextStep, nextStepUnwanted } from "./authority-state.ts";

/** What the rotator needs. */
export interface RotatorDeps {
  readonly authorities: Authorities;
  readonly clock: Clock;
  readonly log: Logger;
}

const INTERVAL_MS = 10_000;
const STEADY_AFTER_MS = 3_600_000;
const JUMP_MS = 60_000;
const MIN_PREPARE_INTERVAL_MS = 60_000;
const MAX_STEPS = 4;

/**
 * Does what is due for the authorities, as {@link nextStep} says. The wall clock says what is due, the monotonic clock how often
 * something may be done: a wall clock that jumps to and fro makes at most one new authority a minute, and takes none away.
 */
export class AuthorityRotator {
  readonly #deps: RotatorDeps;
  readonly #preparedAtMs = new Map<string, number>();
  #offsetMs: number;
  #steadySinceMs: number;

  constructor(deps: RotatorDeps) {
    this.#deps = deps;
    this.#offsetMs = this.#clockOffset();
    this.#steadySinceMs = deps.clock.monotonicMs();
  }

  /** Does all that is due now. At the first start of a trust domain that is to make its authorities. */
  async rotate(): Promise<void> {
    const { authorities } = this.#deps;
    this.#watchClock();
    for (const lane of authorities.lanes) {
      const next = lane.keyType === undefined ? nextStepUnwanted : nextStep;
      for (let steps = 0; steps < MAX_STEPS; steps++) {
        const { now, isSteady } = this.#time();
        const step = next(authorities.lives(lane), now, isSteady);
        if (step === undefined || !this.#isAllowed(lane, step)) break;
        await this.#do(lane, step);
      }
    }
  }

  /** Looks every ten seconds. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    while (!signal.aborted) {
      await clock.sleep(INTERVAL_MS, signal);
      if (signal.aborted) return;
      try {
        await this.rotate();
      } catch (err) {
        log.error({ err }, "Authority rotation failed");
      }
    }
  }

  async #do(lane: AuthorityLane, step: AuthorityStep): Promise<void> {
    const { authorities, clock } = this.#deps;
    switch (step.kind) {
      case "prepare":
        await authorities.prepare(lane);
        this.#preparedAtMs.set(laneName(lane), clock.monotonicMs());
        return;
      case "activate":
        await authorities.activate(lane.kind, step.id);
        return;
      case "retire":
        await authorities.retire(lane.kind, step.id);
        return;
      case "forget":
        await authorities.forget(lane.kind, step.id);
    }
  }

  #isAllowed(lane: AuthorityLane, step: AuthorityStep): boolean {
    const last = this.#preparedAtMs.get(laneName(lane));
    if (step.kind !== "prepare" || last === undefined) return true;
    return this.#deps.clock.monotonicMs() - last >= MIN_PREPARE_INTERVAL_MS;
  }

  #time(): { readonly now: Date; readonly isSteady: boolean } {
    const { clock } = this.#deps;
    const isSteady = clock.monotonicMs() - this.#steadySinceMs >= STEADY_AFTER_MS;
    return { now: clock.now(), isSteady };
  }

  #watchClock(): void {
    const offsetMs = this.#clockOffset();
    if (Math.abs(offsetMs - this.#offsetMs) < JUMP_MS) return;
    this.#deps.log.warn({ jump_ms: offsetMs - this.#offsetMs }, "Wall clock jumped");
    this.#offsetMs = offsetMs;
    this.#steadySinceMs = this.#deps.clock.monotonicMs();
  }

  #clockOffset(): number {
    const { clock } = this.#deps;
    return clock.now().getTime() - clock.monotonicMs();
  }
}
