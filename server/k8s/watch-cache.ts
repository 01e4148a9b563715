import { isDeepStrictEqual } from "node:util";
import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { untilAborted } from "../../runtime/until-aborted.ts";
import { type Held, type Keyed, keyOf } from "./held.ts";
import { fieldOf, type KubeClient, type Parse, type WatchLine } from "./kube-client.ts";
import { isKubeError, KubeError } from "./kube-error.ts";
import { listAll, readObject, readVersion } from "./list-all.ts";
import type { Resource, Scope } from "./resources.ts";

/** What happened to an object, or to the view as a whole. Values are immutable; one that did not change is the same object. */
export type CacheEvent<T> =
  | { readonly kind: "added"; readonly now: T }
  | { readonly kind: "changed"; readonly was: T; readonly now: T }
  /**
   * Its deletion was seen happening; or it was not seen, and a new list has another object under its name, which is told next and
   * "listed" after that. The latter has to be judged like what vanished.
   */
  | { readonly kind: "removed"; readonly was: T; readonly isSeen: boolean }
  /**
   * Everything was listed again, at the start or because the watch could not go on. Comes after "added" and "changed" of what
   * the list showed. `vanished` are the names that it lacks: whoever acts on them has to judge first whether that can be true.
   */
  | { readonly kind: "listed"; readonly vanished: readonly T[]; readonly kept: number };

/** What a cache needs. */
export interface WatchCacheDeps<T> {
  readonly client: Pick<KubeClient, "listPage" | "watch">;
  readonly resource: Resource;
  readonly scope?: Scope;
  /** Cuts an object down to what is used. What it refuses is not in the cache. */
  readonly parse: Parse<T>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 10_000;

/**
 * The objects of one kind as the API server has them, kept by a watch: one list at the start, then each change as it happens.
 * The API server being away leaves the view as it is, and older; {@link WatchCache.isCurrent} tells. It lists again only when
 * the API server says that the watch cannot go on (410 Gone).
 */
export class WatchCache<T extends Keyed> {
  readonly #deps: WatchCacheDeps<T>;
  readonly #backoff: Backoff;
  readonly #listeners = new Set<(event: CacheEvent<T>) => void>();
  readonly #first = Promise.withResolvers<void>();
  #held = new Map<string, Held<T>>();
  #resourceVersion: string | undefined;
  #isWatching = false;
  #isTroubled = false;
  #isListed = false;
  #currentAtMs: number | undefined;

  constructor(deps: WatchCacheDeps<T>) {
    const { random } = deps;
    this.#deps = deps;
    this.#backoff = new Backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random });
  }

  /** The object of a name, in a namespace where the kind has them. */
  get(name: string, namespace?: string): T | undefined {
    return this.#held.get(keyOf({ name, namespace }))?.value;
  }

  /** All objects, in no order. */
  *values(): Iterable<T> {
    for (const { value } of this.#held.values()) yield value;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Whether everything has been listed once. From then on it always holds a view, if perhaps an old one. */
  get isReady(): boolean {
    return this.#isListed;
  }

  /** Whether changes arrive as they happen. */
  get isCurrent(): boolean {
    return this.#isWatching;
  }

  /** Milliseconds since the API server last spoke to us, a bookmark included; infinite before the first list. */
  get ageMs(): number {
    if (this.#currentAtMs === undefined) return Number.POSITIVE_INFINITY;
    return this.#deps.clock.monotonicMs() - this.#currentAtMs;
  }

  /** Resolves when everything has been listed once. Rejects with the signal's reason. */
  ready(signal: AbortSignal): Promise<void> {
    return untilAborted(this.#first.promise, signal);
  }

  /**
   * Calls `listener` with each event from now on, in order and after the cache has it; it must be quick and not throw. Together
   * with {@link WatchCache.values}, read in the same turn, it misses nothing.
   */
  onEvent(listener: (event: CacheEvent<T>) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Lists and watches until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        await this.#watch(signal);
      } catch (err) {
        if (signal.aborted) return;
        this.#failed(err);
      } finally {
        this.#isWatching = false;
      }
      await this.#deps.clock.sleep(this.#backoff.nextMs(), signal);
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { held, resourceVersion } = await listAll(
      { ...this.#deps, previous: this.#held, refused: (key, err) => this.#refused(key, err) },
      signal,
    );
    const before = this.#held;
    this.#held = held;
    this.#resourceVersion = resourceVersion;
    this.#heard();
    for (const [key, { value }] of held) {
      const was = before.get(key)?.value;
      if (was === undefined) this.#tell({ kind: "added", now: value });
      else if (was.uid !== value.uid) {
        this.#tell({ kind: "removed", was, isSeen: false });
        this.#tell({ kind: "added", now: value });
      } else if (was !== value) this.#tell({ kind: "changed", was, now: value });
    }
    const vanished = [...before].filter(([key]) => !held.has(key)).map(([, { value }]) => value);
    this.#isListed = true;
    this.#tell({ kind: "listed", vanished, kept: held.size });
    this.#first.resolve();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, resource, scope, log } = this.#deps;
    const from = this.#resourceVersion ?? "";
    const lines = await client.watch(resource, scope ?? {}, from, signal);
    this.#isWatching = true;
    this.#heard();
    if (this.#isTroubled) {
      this.#isTroubled = false;
      log.info({ resource: resource.plural }, "Watch goes on");
    }
    for await (const line of lines) {
      this.#take(line);
      this.#heard();
      this.#backoff.reset();
    }
  }

  #take({ type, object }: WatchLine): void {
    if (type === "BOOKMARK") {
      this.#resourceVersion = readVersion(object);
      return;
    }
    const { key, version } = readObject(object);
    const was = this.#held.get(key);
    const uid = fieldOf(fieldOf(object, "metadata"), "uid");
    // Each deletion is shown, so what we hold is not the past of this watch: it is that of data restored, or of another cluster.
    if (was !== undefined && was.value.uid !== uid) {
      throw new KubeError("gone", `${key} is another object`);
    }
    const value = type === "DELETED" ? undefined : this.#parse(key, object);
    this.#resourceVersion = version;
    if (value === undefined) {
      this.#held.delete(key);
      if (was !== undefined) this.#tell({ kind: "removed", was: was.value, isSeen: true });
      return;
    }
    if (was !== undefined && isDeepStrictEqual(was.value, value)) {
      this.#held.set(key, { value: was.value, version });
      return;
    }
    this.#held.set(key, { value, version });
    if (was === undefined) this.#tell({ kind: "added", now: value });
    else this.#tell({ kind: "changed", was: was.value, now: value });
  }

  #tell(event: CacheEvent<T>): void {
    for (const listener of this.#listeners) listener(event);
  }

  #parse(key: string, object: unknown): T | undefined {
    try {
      return this.#deps.parse(object);
    } catch (err) {
      this.#refused(key, err);
      return undefined;
    }
  }

  #heard(): void {
    this.#currentAtMs = this.#deps.clock.monotonicMs();
  }

  #refused(object: string, err: unknown): void {
    const { resource, log } = this.#deps;
    log.warn(
      { resource: resource.plural, object, reason: describeError(err) },
      "Object of the cluster cannot be read",
    );
  }

  // Once for each stretch of trouble; what is tried again and again says no more.
  #failed(err: unknown): void {
    const { resource, log } = this.#deps;
    if (isKubeError(err, "gone")) {
      this.#resourceVersion = undefined;
      log.debug({ resource: resource.plural }, "Watch is too old, listing again");
      return;
    }
    if (this.#isTroubled) return;
    this.#isTroubled = true;
    const code = err instanceof KubeError ? err.code : "internal";
    log.warn(
      { resource: resource.plural, state: code, reason: describeError(err) },
      "Watch of the cluster does not get through",
    );
  }
}
