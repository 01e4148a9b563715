import { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";

const generate = promisify(generateKeyPair);

/** Key types for workload SVIDs. */
export type SvidKeyType = "ec-p256" | "ec-p384" | "rsa-2048";

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** Makes one key pair on a thread of the pool, so that the event loop goes on. */
export function generateSvidKey(type: SvidKeyType): Promise<KeyPair> {
  switch (type) {
    case "ec-p256":
      return generate("ec", { namedCurve: "P-256" });
    case "ec-p384":
      return generate("ec", { namedCurve: "P-384" });
    case "rsa-2048":
      return generate("rsa", { modulusLength: 2048 });
  }
}

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
