/** The latest message of a stream, and a way to wait for one that fits. */
export class StreamWatch<T> implements AsyncDisposable {
  #latest: T | undefined;
  #ended = false;
  #failure: unknown;
  #wake: () => void = () => {};
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;

  constructor(open: (signal: AbortSignal) => AsyncIterable<T>) {
    this.#reading = this.#read(open);
  }

  /** Resolves with the first message that fits, the latest one included. @throws what the stream ended with */
  async until(fits: (message: T) => boolean): Promise<T> {
    for (;;) {
      const latest = this.#latest;
      if (latest !== undefined && fits(latest)) return latest;
      if (this.#ended) throw this.#failure ?? new Error("the stream ended");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #read(open: (signal: AbortSignal) => AsyncIterable<T>): Promise<void> {
    try {
      for await (const message of open(this.#stop.signal)) {
        this.#latest = message;
        this.#wake();
      }
    } catch (error) {
      this.#failure = error;
    } finally {
      this.#ended = true;
      this.#wake();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#reading;
  }
}
