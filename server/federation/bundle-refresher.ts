/**
 * Keeps the bundles of foreign trust domains fresh: one loop for each relationship that has an endpoint. A failure leaves what was there;
 * it is told in the log, the audit and the metrics, and tried again at the next interval (Federation 6.2). Profiles never fall back
 * to one another.
 */
import type { AuditSubject } from "../../proto/audit/v1/record.ts";
import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Bundle } from "../../spiffe/bundle/bundle.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { Store } from "../store/store.ts";
import { checkFetched } from "./check-fetched.ts";
import type { EndpointBundles } from "./endpoint-bundles.ts";
import type { FetchedEndpoint } from "./endpoint-trust.ts";
import { type FetchedBundle, fetchBundle } from "./fetch-bundle.ts";
import { FetchError } from "./fetch-error.ts";
import { RefreshSchedule } from "./refresh-schedule.ts";
import type { Relationship, Relationships } from "./relationships.ts";

export interface BundleRefresherDeps {
  readonly relationships: Relationships;
  readonly store: Pick<Store, "read" | "write">;
  readonly endpointBundles: EndpointBundles;
  readonly own: () => Bundle;
  readonly audit: Pick<AuditLog, "event">;
  /** Authorities of https_web endpoints in PEM; those that Node ships unless given. */
  readonly webAuthorities?: readonly string[] | undefined;
  readonly followRedirects: boolean;
  /** Whether foreign WIT authorities are taken. */
  readonly wit: boolean;
  /** Told of each fetch. */
  readonly onFetch?: (outcome: "changed" | "unchanged" | "failed") => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** How the bundle of one trust domain stands. */
export interface RefreshStatus {
  readonly fetchedAt: Date | undefined;
  readonly nextFetchAt: Date | undefined;
  /** Why the last fetch failed; undefined when it did not. */
  readonly failure: { readonly code: string; readonly message: string } | undefined;
}

const SELF: AuditSubject = { kind: "system", id: "federation", podUid: null, node: null };

interface Loop {
  readonly endpoint: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

export class BundleRefresher {
  readonly #deps: BundleRefresherDeps;
  readonly #status = new Map<string, RefreshStatus>();
  /** Fetches under way: whoever asks for one meanwhile gets its outcome. */
  readonly #running = new Map<string, Promise<boolean>>();
  readonly #loops = new Map<string, Loop>();

  static async open(deps: BundleRefresherDeps): Promise<BundleRefresher> {
    const fetches = await deps.store.read("listFetches", {});
    return new BundleRefresher(deps, fetches);
  }

  private constructor(deps: BundleRefresherDeps, fetches: ReadonlyMap<string, number>) {
    this.#deps = deps;
    for (const [trustDomain, at] of fetches) {
      this.#note(trustDomain, { fetchedAt: new Date(at * 1000) });
    }
  }

  statusOf(trustDomain: string): RefreshStatus {
    return this.#status.get(trustDomain) ?? NOTHING;
  }

  /**
   * Fetches a bundle now. Resolves with whether it changed, when that is durable and on its way to agents.
   *
   * @throws {FetchError} why it was not taken
   */
  refresh(trustDomain: string, signal: AbortSignal): Promise<boolean> {
    const running = this.#running.get(trustDomain);
    if (running !== undefined) return running;
    const fetching = this.#fetch(trustDomain, signal).finally(() => {
      this.#running.delete(trustDomain);
    });
    this.#running.set(trustDomain, fetching);
    return fetching;
  }

  /** Runs a loop for each relationship that has an endpoint and has not ended. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#deps.relationships.changes.subscribe(signal)) this.#arrange(signal);
    for (const { stop } of this.#loops.values()) stop.abort();
    await Promise.all([...this.#loops.values()].map(({ ended }) => ended));
  }

  #arrange(signal: AbortSignal): void {
    const wanted = new Map(
      this.#deps.relationships.listed
        .filter(({ record }) => record.endedAt === 0 && record.endpoint.profile !== "none")
        .map(({ record }) => [record.trustDomain, JSON.stringify(record.endpoint)]),
    );
    for (const [trustDomain, { endpoint, stop }] of this.#loops) {
      if (wanted.get(trustDomain) === endpoint) continue;
      stop.abort();
      this.#loops.delete(trustDomain);
      // What is told of a fetch was of another endpoint, or of a relationship that is over.
      this.#status.delete(trustDomain);
    }
    for (const [trustDomain, endpoint] of wanted) {
      if (this.#loops.has(trustDomain)) continue;
      const stop = new AbortController();
      const ended = this.#follow(trustDomain, AbortSignal.any([signal, stop.signal]));
      this.#loops.set(trustDomain, { endpoint, stop, ended });
    }
  }

  async #follow(trustDomain: string, signal: AbortSignal): Promise<void> {
    const { clock, random, store } = this.#deps;
    const schedule = new RefreshSchedule(random);
    let { fetchedAt } = this.statusOf(trustDomain);
    let ms = schedule.firstMs(fetchedAt !== undefined);
    while (!signal.aborted) {
      this.#note(trustDomain, { nextFetchAt: new Date(clock.now().getTime() + ms) });
      await clock.sleep(ms, signal);
      if (signal.aborted) return;
      const isDone = await this.refresh(trustDomain, signal).then(
        () => true,
        () => false,
      );
      fetchedAt = this.statusOf(trustDomain).fetchedAt;
      const stored = await store.read("getBundle", { trustDomain }).catch(() => undefined);
      const hint = stored?.refreshHintSeconds ?? 0;
      ms = isDone ? schedule.nextMs(hint) : schedule.retryMs(hint, fetchedAt !== undefined);
    }
  }

  async #fetch(trustDomain: string, signal: AbortSignal): Promise<boolean> {
    const { relationships, clock, audit, log, onFetch } = this.#deps;
    const relationship = relationships.get(trustDomain);
    const endpoint = endpointOf(relationship);
    const draft = {
      action: "federation.refresh",
      resource: trustDomain,
      source: "internal",
      actors: [SELF],
    } as const;
    const url = { profile: endpoint.profile, url: endpoint.url };
    const startedMs = clock.monotonicMs();
    try {
      const { isChanged, fetched } = await this.#take(trustDomain, endpoint, signal);
      const facts = {
        ...url,
        sequence: String(fetched.bundle.sequence ?? ""),
        changed: isChanged,
        redirects: fetched.redirects,
        took_ms: Math.round(clock.monotonicMs() - startedMs),
      };
      const codes = fetched.findings.map(({ code }) => code);
      audit.event({ ...draft, decision: "allow", details: { ...facts, findings: codes } });
      const fields = { trust_domain: trustDomain, ...facts };
      if (isChanged) log.info(fields, "Foreign bundle has changed");
      else log.debug(fields, "Foreign bundle is unchanged");
      onFetch?.(isChanged ? "changed" : "unchanged");
      this.#note(trustDomain, { fetchedAt: clock.now(), failure: undefined });
      return isChanged;
    } catch (err) {
      if (signal.aborted) throw err;
      const code = err instanceof FetchError ? err.code : "store";
      // What lies beneath is told in it already.
      const message = err instanceof FetchError ? err.message : describeError(err);
      audit.event({ ...draft, decision: "failed", reasonCode: code, details: url });
      log.warn(
        { trust_domain: trustDomain, ...url, reason_code: code, reason: message },
        "Foreign bundle was not fetched, the one that is known stays in use",
      );
      onFetch?.("failed");
      this.#note(trustDomain, { failure: { code, message } });
      throw err;
    }
  }

  async #take(
    name: string,
    endpoint: FetchedEndpoint,
    signal: AbortSignal,
  ): Promise<{ readonly isChanged: boolean; readonly fetched: FetchedBundle }> {
    const { store, endpointBundles, webAuthorities, followRedirects, wit, clock, own, log } =
      this.#deps;
    const trust = {
      webAuthorities,
      bundles: endpointBundles.forEndpointOf(name),
      now: () => clock.now(),
    };
    const options = { trust, followRedirects, wit };
    const fetched = await fetchBundle(TrustDomain.parse(name), endpoint, options, signal);
    const stored = await store.read("getBundle", { trustDomain: name });
    const { record, repeatsSequence } = checkFetched(fetched.bundle, stored, own());
    if (repeatsSequence) {
      log.warn(
        { trust_domain: name, sequence: String(record.sequence) },
        "Foreign bundle has changed without a new sequence",
      );
    }
    const at = Math.floor(clock.now().getTime() / 1000);
    const { output } = await store.write("recordFetch", { trustDomain: name, at, bundle: record });
    return { isChanged: output, fetched };
  }

  #note(trustDomain: string, change: Partial<RefreshStatus>): void {
    this.#status.set(trustDomain, { ...this.statusOf(trustDomain), ...change });
  }
}

const NOTHING: RefreshStatus = {
  fetchedAt: undefined,
  nextFetchAt: undefined,
  failure: undefined,
};

function endpointOf(relationship: Relationship | undefined): FetchedEndpoint {
  const endpoint = relationship?.record.endpoint;
  if (endpoint === undefined || endpoint.profile === "none") {
    throw new TypeError("the trust domain has no bundle endpoint");
  }
  return endpoint;
}
