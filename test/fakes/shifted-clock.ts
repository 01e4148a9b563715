import { type Clock, systemClock } from "../../runtime/time/clock.ts";

/** The machine's clock, whose wall time a test can move: for tests on real sockets, where timers have to run as they are. */
export class ShiftedClock implements Clock {
  #offsetMs = 0;

  now(): Date {
    return new Date(systemClock.now().getTime() + this.#offsetMs);
  }

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal);
  }

  /** Lets the wall clock jump. Sleepers do not notice. */
  shift(ms: number): void {
    this.#offsetMs += ms;
  }
}
