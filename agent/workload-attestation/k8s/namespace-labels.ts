import { describeError } from "../../../runtime/errors/describe.ts";
import { Feed } from "../../../runtime/feed.ts";
import type { Logger } from "../../../runtime/log.ts";
import type { Random } from "../../../runtime/random.ts";
import { Backoff } from "../../../runtime/time/backoff.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { type BearerHttps, HttpsError } from "./bearer-https.ts";
import {
  type NamespaceEvent,
  parseNamespaceEvent,
  parseNamespacePage,
} from "./parse-namespaces.ts";
import { readLines } from "./read-lines.ts";

export interface NamespaceLabelsDeps {
  readonly api: Pick<BearerHttps, "text" | "chunks">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

type Labels = Readonly<Record<string, string>>;

/** Of each object only the metadata is asked for: names, labels, versions. */
const accept =
  "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const pageLimit = 500;
const maxPageBytes = 16 * 1024 * 1024;
const maxLineBytes = 1024 * 1024;
const listTimeLimitMs = 30_000;
/** The API server ends a watch after this long, so that a connection that died unnoticed is not believed for longer. */
const watchSeconds = 240;
/** Labels count for this long after the watch was lost. */
const graceMs = 30_000;

/**
 * The labels of the cluster's namespaces, kept up to date by a watch. It begins when somebody asks for the first time, since it takes
 * the permission to get, list and watch namespaces.
 */
export class NamespaceLabels {
  readonly #deps: NamespaceLabelsDeps;
  readonly #backoff: Backoff;
  readonly #wanted = Promise.withResolvers<void>();
  readonly #changes = new Feed(0);
  #labels = new Map<string, Labels>();
  /** When the watch was lost; undefined while it is there, -Infinity before the first. */
  #lostAtMs: number | undefined = Number.NEGATIVE_INFINITY;
  #problem: string | undefined;

  constructor(deps: NamespaceLabelsDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff({ baseMs: 200, maxMs: 10_000, random: deps.random });
  }

  /** Why nothing can be said at the moment. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Undefined while they are not known. */
  of(namespace: string): Labels | undefined {
    const lostAtMs = this.#lostAtMs;
    const isKnown = lostAtMs === undefined || this.#deps.clock.monotonicMs() - lostAtMs <= graceMs;
    return isKnown ? this.#labels.get(namespace) : undefined;
  }

  /** Resolves once `holds` does, which is looked at after each change, or once `signal` aborts. */
  async until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    this.#wanted.resolve();
    for await (const _ of this.#changes.subscribe(signal)) if (holds()) return;
  }

  /** Lists and watches as long as it takes. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => stopped.resolve(), { once: true });
    await Promise.race([this.#wanted.promise, stopped.promise]);
    while (!signal.aborted) {
      try {
        await this.#watch(await this.#list(signal), signal);
      } catch (err) {
        if (signal.aborted) return;
        this.#failed(err);
      }
      this.#lostAtMs ??= this.#deps.clock.monotonicMs();
      await this.#deps.clock.sleep(this.#backoff.nextMs(), signal);
    }
  }

  /** @returns the version of what was listed */
  async #list(signal: AbortSignal): Promise<string> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(listTimeLimitMs)]);
    const labels = new Map<string, Labels>();
    let next = "";
    for (;;) {
      const query = new URLSearchParams({ limit: String(pageLimit), continue: next });
      const asked = { path: `/api/v1/namespaces?${query}`, accept };
      const page = parseNamespacePage(await this.#deps.api.text(asked, maxPageBytes, limited));
      for (const { name, labels: each } of page.namespaces) labels.set(name, each);
      next = page.next;
      if (next !== "") continue;
      this.#labels = labels;
      this.#isCurrent();
      return page.version;
    }
  }

  async #watch(version: string, signal: AbortSignal): Promise<void> {
    const query = new URLSearchParams({
      watch: "1",
      allowWatchBookmarks: "true",
      resourceVersion: version,
      timeoutSeconds: String(watchSeconds),
    });
    // A watch may end when it likes; then it goes on from where it was.
    let from: string | undefined = version;
    while (from !== undefined && !signal.aborted) {
      query.set("resourceVersion", from);
      const asked = { path: `/api/v1/namespaces?${query}`, accept };
      const limited = AbortSignal.any([signal, AbortSignal.timeout((watchSeconds + 30) * 1000)]);
      let isFirst = true;
      const began: string = from;
      for await (const line of readLines(this.#deps.api.chunks(asked, limited), maxLineBytes)) {
        const event = parseNamespaceEvent(line);
        if (event.kind === "gone") return;
        if (isFirst) this.#backoff.reset();
        isFirst = false;
        from = event.version;
        this.#apply(event);
      }
      // Nothing at all in a whole watch: not from there any more.
      if (from === began) return;
    }
  }

  #apply(event: Exclude<NamespaceEvent, { kind: "gone" }>): void {
    if (event.kind === "bookmark") return;
    if (event.kind === "deleted") this.#labels.delete(event.name);
    else this.#labels.set(event.name, event.labels);
    this.#changes.set(this.#changes.value + 1);
  }

  #isCurrent(): void {
    if (this.#problem !== undefined) this.#deps.log.info("Namespaces are watched again");
    this.#problem = undefined;
    this.#lostAtMs = undefined;
    this.#changes.set(this.#changes.value + 1);
  }

  #failed(err: unknown): void {
    const kind = err instanceof HttpsError ? err.problem : "failed";
    if (this.#problem === undefined) {
      this.#deps.log.warn({ reason_code: `api_server_${kind}`, err }, "Namespaces are not watched");
    }
    this.#problem = `api_server_${kind}: ${describeError(err)}`;
  }
}
