import type { Selector } from "../../proto/selector.ts";

/** What is remembered of a type: its text, and its selectors by value. */
interface OfType {
  readonly type: string;
  readonly selectors: Map<string, Selector>;
}

/**
 * Gives equal selectors one copy in memory, and different ones of a type the same text of the type. A value is mostly that of very
 * many entries, such as a namespace, or of one alone: so it forgets all when it is full, and soon knows the common ones again.
 */
export class SelectorInterner {
  readonly #limit: number;
  readonly #byType = new Map<string, OfType>();
  #size = 0;

  constructor(limit = 8_000) {
    this.#limit = limit;
  }

  /** A selector that equals this one: the first of those that is still remembered. */
  intern({ type, value }: Selector): Selector {
    const ofType = this.#byType.get(type) ?? this.#add(type);
    const known = ofType.selectors.get(value);
    if (known !== undefined) return known;
    const selector = { type: ofType.type, value };
    ofType.selectors.set(value, selector);
    this.#size += 1;
    if (this.#size >= this.#limit) this.#forget();
    return selector;
  }

  #add(type: string): OfType {
    const added = { type, selectors: new Map<string, Selector>() };
    this.#byType.set(type, added);
    return added;
  }

  #forget(): void {
    this.#byType.clear();
    this.#size = 0;
  }
}
