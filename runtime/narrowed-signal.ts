/** What a {@link NarrowedSignal} aborts with when its own end has come. Shared, because making an error costs more than all the rest. */
const OVER = new Error("it is over");

/**
 * A signal that aborts with another one, or before it. Unlike one of `AbortSignal.any` it is let go of when its owner says so and not when
 * the garbage collector finds it, which for a signal that each call makes several of is most of what they cost.
 */
export class NarrowedSignal implements Disposable {
  readonly #outer: AbortSignal;
  readonly #own = new AbortController();
  readonly #follow = (): void => this.#own.abort(this.#outer.reason);

  #timer: NodeJS.Timeout | undefined;

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    if (outer.aborted) this.#follow();
    else outer.addEventListener("abort", this.#follow);
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  /** Aborts the signal after `ms` too, with a TimeoutError, unless it is let go of before. */
  limit(ms: number): void {
    const late = (): void => this.end(new DOMException("it took too long", "TimeoutError"));
    this.#timer = setTimeout(late, ms);
  }

  /** Aborts the signal, unless it has been. */
  end(reason: unknown = OVER): void {
    this[Symbol.dispose]();
    this.#own.abort(reason);
  }

  /** Lets go of the outer signal and of the limit: from here on only {@link end} aborts this one. */
  [Symbol.dispose](): void {
    this.#outer.removeEventListener("abort", this.#follow);
    clearTimeout(this.#timer);
  }
}
