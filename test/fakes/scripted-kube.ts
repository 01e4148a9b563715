import type { ListPage, WatchLine } from "../../server/k8s/kube-client.ts";
import type { Resource, Scope } from "../../server/k8s/resources.ts";

/** An open watch: what to send next, and whether it has been taken. */
interface OpenWatch {
  readonly queue: (WatchLine | Error | undefined)[];
  wake: () => void;
}

/**
 * The reading half of a KubeClient of which a test decides each answer: lists from a queue (empty ones when it has run out), and
 * one watch at a time that the test feeds and ends.
 */
export class ScriptedKube {
  /** Items of the lists to come, one list each. */
  readonly lists: (readonly object[])[] = [];
  /** Errors that the next lists end in. */
  readonly listRefusals: Error[] = [];
  /** Errors that the next watches end in before they begin. */
  readonly refusals: Error[] = [];
  readonly calls = { lists: 0, limits: [] as number[], watchedFrom: [] as string[] };
  #version = 10;
  #watch: OpenWatch | undefined;
  #opened = Promise.withResolvers<void>();
  #idle = Promise.withResolvers<void>();

  async listPage(
    _resource: Resource,
    _scope: Scope,
    { limit = 0 }: { readonly limit?: number },
  ): Promise<ListPage> {
    this.calls.limits.push(limit);
    const refusal = this.listRefusals.shift();
    if (refusal !== undefined) throw refusal;
    this.calls.lists += 1;
    this.#version += 1;
    return { items: this.lists.shift() ?? [], resourceVersion: String(this.#version) };
  }

  async watch(
    _resource: Resource,
    _scope: Scope,
    resourceVersion: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<WatchLine>> {
    this.calls.watchedFrom.push(resourceVersion);
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    const watch: OpenWatch = { queue: [], wake: () => {} };
    this.#watch = watch;
    signal.addEventListener("abort", () => this.#push(undefined));
    return this.#lines(watch);
  }

  /** Resolves when a watch is open and everything sent has been taken. */
  watched(): Promise<void> {
    return this.#opened.promise;
  }

  /** Sends a change, and resolves when it has been taken. */
  async send(type: WatchLine["type"], object: object): Promise<void> {
    await this.#opened.promise;
    this.#idle = Promise.withResolvers<void>();
    this.#push({ type, object });
    await this.#idle.promise;
  }

  /** Ends the watch, in an error if there is one. */
  end(err?: Error): void {
    this.#opened = Promise.withResolvers<void>();
    this.#push(err);
  }

  async *#lines(watch: OpenWatch): AsyncIterable<WatchLine> {
    for (;;) {
      while (watch.queue.length === 0) {
        const waiting = new Promise<void>((resolve) => {
          watch.wake = resolve;
        });
        this.#opened.resolve();
        this.#idle.resolve();
        await waiting;
      }
      const next = watch.queue.shift();
      if (next === undefined) return;
      if (next instanceof Error) throw next;
      yield next;
    }
  }

  #push(item: WatchLine | Error | undefined): void {
    this.#watch?.queue.push(item);
    this.#watch?.wake();
  }
}
