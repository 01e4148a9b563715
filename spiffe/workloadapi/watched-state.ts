import type { StatusError } from "../../runtime/errors/status-error.ts";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import { SpiffeError } from "../error.ts";
import type { ResolvedSourceOptions } from "./source-options.ts";
import { type Watch, watch } from "./watch.ts";

/**
 * The state that one stream of the Workload API keeps fresh: what every source is made of. It holds nothing before the first
 * message and after a withdrawal, and its last state while the Workload API is away.
 */
export class WatchedState<T> implements AsyncDisposable {
  readonly #feed = new Feed<T | undefined>(undefined);
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;
  #withdrawnBy: StatusError | undefined;
  #failure: Error | undefined;

  private constructor(
    stream: Pick<Watch<unknown, T>, "open" | "read">,
    options: ResolvedSourceOptions,
  ) {
    const { onProblem } = options;
    const onUpdate = (state: T): void => {
      this.#withdrawnBy = undefined;
      this.#feed.set(state);
    };
    const onWithdrawn = (cause: StatusError): void => {
      this.#withdrawnBy = cause;
      this.#feed.set(undefined);
    };
    this.#running = watch(
      { ...stream, onUpdate, onWithdrawn, onProblem },
      options,
      this.#closed.signal,
    ).catch((err: Error) => {
      this.#failure = err;
      onProblem(err);
      this.#feed.set(undefined);
    });
  }

  /**
   * Starts to watch and waits for the first state.
   *
   * @throws whatever ends the watch for good, or the reason of `options.signal`
   */
  static async open<M, T>(
    stream: Pick<Watch<M, T>, "open" | "read">,
    options: ResolvedSourceOptions,
  ): Promise<WatchedState<T>> {
    const state = new WatchedState<T>(stream as Pick<Watch<unknown, T>, "open" | "read">, options);
    const over = new AbortController();
    const ended = state.#running.then(() => over.abort());
    const first = AbortSignal.any([options.signal, over.signal]);
    for await (const value of state.#feed.subscribe(first)) if (value !== undefined) return state;
    await state[Symbol.asyncDispose]();
    await ended;
    if (state.#failure !== undefined) throw state.#failure;
    throw options.signal.reason;
  }

  /** The latest state, undefined while there is none. */
  get current(): ReadFeed<T | undefined> {
    return this.#feed;
  }

  /** @throws {SpiffeError} "source_closed" | "identity_withdrawn" while there is no state */
  get value(): T {
    const { value } = this.#feed;
    if (value !== undefined) return value;
    if (this.#closed.signal.aborted) throw new SpiffeError("source_closed", "source is closed");
    const cause = this.#withdrawnBy ?? this.#failure;
    throw new SpiffeError("identity_withdrawn", "the Workload API grants nothing", { cause });
  }

  /** Stops watching and forgets the state. May be called twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#running;
    this.#feed.set(undefined);
  }
}
