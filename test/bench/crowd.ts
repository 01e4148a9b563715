import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { untilAborted } from "../../runtime/until-aborted.ts";
import type { CrowdOrder, CrowdState, CrowdTask } from "./crowd-messages.ts";

const script = join(import.meta.dirname, "agents-main.ts");
/** Of one process: beyond it the processor time of the harness would be what is measured. */
const perProcess = 2_500;

interface Keeper {
  readonly child: ChildProcess;
  state: CrowdState;
  held: number;
}

const nothing: CrowdState = { ready: 0, back: 0, informed: 0, refusals: 0 };

/** Connected agents in processes of their own, as many as there is need for. */
export class Crowd implements AsyncDisposable {
  readonly #place: Omit<CrowdTask, "kind" | "count">;
  readonly #signal: AbortSignal;
  readonly #keepers: Keeper[] = [];
  #wake: () => void = () => {};
  #ended = false;

  constructor(place: Omit<CrowdTask, "kind" | "count">, signal: AbortSignal) {
    this.#place = place;
    this.#signal = signal;
  }

  get size(): number {
    return this.#keepers.reduce((sum, { held }) => sum + held, 0);
  }

  get refusals(): number {
    return this.#sum("refusals");
  }

  /** Attests and connects agents until there are `size`; resolves when all are up to date. */
  async growTo(size: number): Promise<void> {
    for (let missing = size - this.size; missing > 0; missing = size - this.size) {
      let keeper = this.#keepers.at(-1);
      if (keeper === undefined || keeper.held >= perProcess) keeper = this.#start();
      const count = Math.min(missing, perProcess - keeper.held);
      keeper.held += count;
      send(keeper, { kind: "grow", count, ...this.#place });
    }
    await this.#until("ready");
  }

  /** From here on it is counted who is back, or was told the trust bundle anew. */
  async mark(): Promise<void> {
    for (const keeper of this.#keepers) {
      const marked = once(keeper.child, "message");
      send(keeper, { kind: "mark" });
      await marked;
    }
    // A state that was on its way before the mark.
    await this.#hear(() => this.#sum("back") === 0 && this.#sum("informed") === 0);
  }

  /** Resolves when every agent has had a new stream since the mark, and is up to date. */
  untilBack(): Promise<void> {
    return this.#until("back");
  }

  /** Resolves when every agent was told the trust bundle anew since the mark. */
  untilInformed(): Promise<void> {
    return this.#until("informed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    const exits = this.#keepers.map(({ child }) => once(child, "exit"));
    for (const { child } of this.#keepers) child.kill("SIGKILL");
    await Promise.all(exits);
  }

  #until(count: keyof CrowdState): Promise<void> {
    return this.#hear(() => this.#sum(count) >= this.size);
  }

  async #hear(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      const heard = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await untilAborted(heard, this.#signal);
      if (this.#ended) throw new Error("a process that holds agents has ended");
    }
  }

  #sum(count: keyof CrowdState): number {
    return this.#keepers.reduce((sum, { state }) => sum + state[count], 0);
  }

  #start(): Keeper {
    const keeper: Keeper = { child: fork(script), state: nothing, held: 0 };
    keeper.child.on("message", (state: CrowdState) => {
      keeper.state = state;
      this.#wake();
    });
    keeper.child.once("exit", () => {
      this.#ended = true;
      this.#wake();
    });
    this.#keepers.push(keeper);
    return keeper;
  }
}

function send({ child }: Keeper, order: CrowdOrder): void {
  child.send(order);
}
