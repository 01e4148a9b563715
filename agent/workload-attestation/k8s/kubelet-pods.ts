import { describeError } from "../../../runtime/errors/describe.ts";
import { Feed } from "../../../runtime/feed.ts";
import type { Logger } from "../../../runtime/log.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { KubeletError, type KubeletProblem } from "./kubelet-error.ts";
import type { PodList } from "./parse-pod-list.ts";
import { PodDirectory } from "./pod-directory.ts";

export interface KubeletPodsDeps {
  readonly listPods: (signal: AbortSignal) => Promise<PodList>;
  /** Milliseconds between lists while somebody only watches. */
  readonly refreshMs: number;
  readonly counters?: KubeletCounters;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Told of what the kubelet is asked, for the metrics. */
export interface KubeletCounters {
  /** @param outcome "ok" or why there was no list */
  polled(outcome: "ok" | KubeletProblem, seconds: number): void;
  /** @param isFound whether the wait ended with an answer */
  waited(isFound: boolean, seconds: number): void;
}

/** How the last question went. */
export interface KubeletAnswer {
  /** When it ended, on the monotonic clock; before the first question -Infinity. */
  readonly atMs: number;
  /** Why there was no list. */
  readonly problem?: KubeletProblem;
  /** The same for operators. */
  readonly detail?: string;
}

const shortestGapMs = 25;
const longestGapMs = 250;
/** A kubelet that does not answer is not asked that often. */
const longestFailureGapMs = 1_000;

/**
 * The pods that this node's kubelet lists, asked for only as often as somebody needs it: quickly while a caller waits, slowly
 * while open streams rest on what may change, and not at all otherwise. However many wait, one question is under way.
 */
export class KubeletPods {
  readonly directory: PodDirectory = new PodDirectory();
  readonly #deps: KubeletPodsDeps;
  readonly #answer = new Feed<KubeletAnswer>({ atMs: Number.NEGATIVE_INFINITY });
  #gapMs = 0;
  #unusable = 0;
  #waiting = 0;
  #watching = 0;
  #stir = new AbortController();

  constructor(deps: KubeletPodsDeps) {
    this.#deps = deps;
  }

  get answer(): KubeletAnswer {
    return this.#answer.value;
  }

  /** Callers that wait at the moment. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Resolves once `holds` does, which is looked at after each answer, or once `signal` aborts. */
  async until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    const { clock, counters } = this.#deps;
    const startMs = clock.monotonicMs();
    this.#waiting += 1;
    // Someone new: soon, unless the kubelet has trouble already.
    if (this.answer.problem === undefined) this.#gapMs = 0;
    this.#stir.abort();
    let isFound = false;
    try {
      for await (const _ of this.#answer.subscribe(signal)) {
        isFound = holds();
        if (isFound) return;
      }
    } finally {
      this.#waiting -= 1;
      counters?.waited(isFound, (clock.monotonicMs() - startMs) / 1000);
    }
  }

  /** The same for somebody who is in no hurry. */
  async watch(holds: () => boolean, signal: AbortSignal): Promise<void> {
    this.#watching += 1;
    this.#stir.abort();
    try {
      for await (const _ of this.#answer.subscribe(signal)) if (holds()) return;
    } finally {
      this.#watching -= 1;
    }
  }

  /** Asks the kubelet as long as anybody wants to know. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const restMs = this.#dueMs() - clock.monotonicMs();
      if (restMs <= 0) {
        await this.#ask(signal);
        continue;
      }
      this.#stir = new AbortController();
      await clock.sleep(restMs, AbortSignal.any([signal, this.#stir.signal]));
    }
  }

  #dueMs(): number {
    const { atMs } = this.answer;
    if (this.#waiting > 0) return atMs + Math.max(this.#gapMs, shortestGapMs);
    return this.#watching > 0 ? atMs + this.#deps.refreshMs : Number.POSITIVE_INFINITY;
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { listPods, clock, log, counters } = this.#deps;
    const startMs = clock.monotonicMs();
    const before = this.answer;
    try {
      const { pods, unusable } = await listPods(signal);
      if (unusable > this.#unusable) {
        log.warn({ count: unusable }, "Kubelet lists pods that cannot be used");
      }
      this.#unusable = unusable;
      const atMs = clock.monotonicMs();
      // What a list says held when it was asked for.
      this.directory.update(pods, startMs);
      // A slow kubelet is left alone for longer than it was kept busy.
      this.#lengthenGap(longestGapMs, (atMs - startMs) * 2);
      counters?.polled("ok", (atMs - startMs) / 1000);
      if (before.problem !== undefined) log.info("Kubelet answers again");
      this.#answer.set({ atMs });
    } catch (err) {
      if (signal.aborted) return;
      const atMs = clock.monotonicMs();
      const problem = err instanceof KubeletError ? err.problem : "kubelet_failed";
      this.#lengthenGap(longestFailureGapMs);
      counters?.polled(problem, (atMs - startMs) / 1000);
      if (before.problem !== problem) {
        log.warn({ reason_code: problem, err }, "Kubelet tells no pods");
      }
      this.#answer.set({ atMs, problem, detail: describeError(err) });
    }
  }

  #lengthenGap(longestMs: number, leastMs: number = shortestGapMs): void {
    this.#gapMs = Math.min(Math.max(this.#gapMs * 2, leastMs, shortestGapMs), longestMs);
  }
}
