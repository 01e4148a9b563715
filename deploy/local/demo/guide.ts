import type { Clock } from "../../../runtime/time/clock.ts";

/** Tells the tour, step by step, with the time that things took. */
export class Guide {
  readonly #print: (text: string) => void;
  readonly #clock: Clock;
  readonly #started: number;
  #step = 0;

  constructor(print: (text: string) => void, clock: Clock) {
    this.#print = print;
    this.#clock = clock;
    this.#started = clock.monotonicMs();
  }

  /** Begins the next step. */
  step(title: string): void {
    this.#step += 1;
    this.#print(`\n${this.#step}. ${title}\n`);
  }

  tell(text: string): void {
    this.#print(`${text.trimEnd().replace(/^/gm, "   ")}\n`);
  }

  /** Waits for something and tells how long it took. */
  async time<T>(what: string, happens: () => Promise<T>): Promise<T> {
    const started = this.#clock.monotonicMs();
    const result = await happens();
    this.tell(`${what}: ${formatMs(this.#clock.monotonicMs() - started)}`);
    return result;
  }

  /** Time since the tour began. */
  elapsed(): string {
    return formatMs(this.#clock.monotonicMs() - this.#started);
  }
}

function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
