import { createHash } from "node:crypto";
import type { Random } from "../../runtime/random.ts";

/** Chance with a seed: equal seeds give equal sequences. Fit for tests, and for nothing else. */
export class FakeRandom implements Random {
  readonly #seed: string;
  #drawn = 0;

  constructor(seed: string | number = 1) {
    this.#seed = String(seed);
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let offset = 0; offset < length; offset += 32) {
      bytes.set(this.#block().subarray(0, Math.min(32, length - offset)), offset);
    }
    return bytes;
  }

  uniform(): number {
    return this.#block().readUIntBE(0, 6) / 2 ** 48;
  }

  #block(): Buffer {
    this.#drawn += 1;
    return createHash("sha256").update(`${this.#seed}:${this.#drawn}`).digest();
  }
}
