import type { Random } from "./random.ts";

/**
 * Identifiers of requests and connections: a prefix drawn once and a number, such as "9f86d081884c-2k". Cheap to make, unique
 * across restarts and processes, and no secret: the next one can be guessed.
 */
export class Ids {
  readonly #prefix: string;
  #made = 0;

  constructor(random: Random) {
    this.#prefix = Buffer.from(random.bytes(6)).toString("hex");
  }

  /** An identifier that was not given out before. */
  next(): string {
    this.#made += 1;
    return `${this.#prefix}-${this.#made.toString(36)}`;
  }
}
