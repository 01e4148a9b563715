import { generateSvidKey, type KeyPair, type SvidKeyType } from "../identity/svid-key.ts";

/**
 * A few key pairs made in advance, so that a new entry does not wait for one. Each pair is given out once. The pool refills
 * itself after each `take`; it holds no more than `size` pairs however many are asked for.
 */
export class KeyPool {
  readonly #type: SvidKeyType;
  readonly #size: number;
  readonly #ready: KeyPair[] = [];
  #making = 0;

  constructor(type: SvidKeyType, size: number) {
    this.#type = type;
    this.#size = size;
    this.#refill();
  }

  /** A pair that nobody else has or will get. */
  async take(): Promise<KeyPair> {
    const pair = this.#ready.pop() ?? (await generateSvidKey(this.#type));
    this.#refill();
    return pair;
  }

  #refill(): void {
    while (this.#ready.length + this.#making < this.#size) {
      this.#making += 1;
      generateSvidKey(this.#type).then(
        (pair) => {
          this.#making -= 1;
          this.#ready.push(pair);
        },
        // A pool that stays short is no fault: take() makes its own pair and reports what fails.
        () => {
          this.#making -= 1;
        },
      );
    }
  }
}
