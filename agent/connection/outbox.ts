/**
 * Messages on their way into a stream: pushed from anywhere, taken in order by the call. Bounded by its users, who push one
 * message for each thing that happened once; what repeats (heartbeats, acknowledgements) they replace by key.
 */
export class Outbox<T> implements AsyncIterable<T> {
  readonly #waiting = new Map<string | symbol, T>();
  #wake: (() => void) | undefined;
  #closed = false;

  /** @param key a message with the same key that still waits is dropped: this one says the newer thing */
  push(message: T, key?: string): void {
    if (this.#closed) return;
    if (key !== undefined) this.#waiting.delete(key);
    this.#waiting.set(key ?? Symbol(), message);
    this.#wake?.();
  }

  /** Ends the stream of messages once what waits has been taken. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      for (const [key, message] of this.#waiting) {
        this.#waiting.delete(key);
        yield message;
      }
      if (this.#closed) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
