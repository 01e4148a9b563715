/**
 * Gives equal values one copy in memory. Of a million entries most share a handful of terms. It forgets everything when it is full,
 * so values that never come again cost nothing for long.
 */
export class Interner<Value> {
  readonly #keyOf: (value: Value) => string;
  readonly #limit: number;
  readonly #known = new Map<string, Value>();

  constructor(keyOf: (value: Value) => string, limit = 4_000) {
    this.#keyOf = keyOf;
    this.#limit = limit;
  }

  /** The first value with the same key that is still remembered, or `value` itself. */
  intern(value: Value): Value {
    const key = this.#keyOf(value);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= this.#limit) this.#known.clear();
    this.#known.set(key, value);
    return value;
  }
}
