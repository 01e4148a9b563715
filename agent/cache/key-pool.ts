import { setImmediate as turn } from "node:timers/promises";
import { type PreparedKey, prepareKey } from "../identity/prepared-key.ts";
import type { SvidKeyType } from "../identity/svid-key.ts";

/**
 * A few keys with their certificate requests, made in advance so that a new entry does not wait for them. Each is given out
 * once. The pool holds no more than `size` however many are asked for, and refills itself in later turns of the event loop, one
 * key in each: who took one sends his request first.
 */
export class KeyPool {
  readonly #type: SvidKeyType;
  readonly #size: number;
  readonly #ready: PreparedKey[] = [];
  #isRefilling = false;

  constructor(type: SvidKeyType, size: number) {
    this.#type = type;
    this.#size = size;
    void this.#refill();
  }

  /** A key that nobody else has or will get. */
  async take(): Promise<PreparedKey> {
    const ready = this.#ready.pop();
    void this.#refill();
    return ready ?? (await prepareKey(this.#type));
  }

  async #refill(): Promise<void> {
    if (this.#isRefilling) return;
    this.#isRefilling = true;
    try {
      while (this.#ready.length < this.#size) {
        await turn();
        this.#ready.push(await prepareKey(this.#type));
      }
    } catch {
      // A pool that stays short is no fault: take() makes its own key and reports what fails.
    } finally {
      this.#isRefilling = false;
    }
  }
}
