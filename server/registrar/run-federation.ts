import { describeError } from "../../runtime/errors/describe.ts";
import { Feed } from "../../runtime/feed.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { FederationApi } from "./federation-api.ts";
import type { WatchedResource } from "./resource-caches.ts";
import type { FederatedTrustDomain } from "./resources/cluster-federated-trust-domain.ts";
import { compareResources, nameOfResource } from "./resources/resource.ts";

/** What became of one resource. */
export type FederationOutcome =
  | { readonly reason: "Applied" }
  | { readonly reason: "Refused" | "Conflict"; readonly message: string };

export interface FederationSyncDeps {
  readonly cluster: string;
  readonly api: FederationApi;
  readonly resources: {
    values(): Iterable<WatchedResource>;
    onEvent(listener: () => void): Disposable;
    ready(signal: AbortSignal): Promise<void>;
    readonly isCurrent: boolean;
  };
  readonly isOurs: (resource: { readonly className: string }) => boolean;
  /** Whether what the cluster says can be acted on now. */
  readonly isTrusted: () => boolean;
  /** Told of each resource, by name. */
  readonly onOutcome: (name: string, outcome: FederationOutcome) => void;
  readonly resyncMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const GATHER_MS = 200;

/**
 * Makes the server's relationships agree with the ClusterFederatedTrustDomains of a cluster: all of them at each change, since there are
 * few. What another made is left alone. Resolves once `signal` aborts.
 */
export async function runFederationSync(
  deps: FederationSyncDeps,
  signal: AbortSignal,
): Promise<void> {
  const { resources, clock, random, resyncMs, log, cluster } = deps;
  const bell = new Feed(0);
  using _ = resources.onEvent(() => bell.set(bell.value + 1));
  const backoff = new Backoff({ baseMs: 1_000, maxMs: 60_000, random });
  // Where the kind is not installed there is nothing to do until it is.
  await resources.ready(signal);
  while (!signal.aborted) {
    const seen = bell.value;
    let ms = resyncMs;
    try {
      const isWhole = await syncOnce(deps, signal);
      if (isWhole) backoff.reset();
      else ms = backoff.nextMs();
    } catch (err) {
      if (signal.aborted) return;
      ms = backoff.nextMs();
      log.warn(
        { cluster, reason: describeError(err) },
        "Federation could not be brought up to date",
      );
    }
    const woken = new AbortController();
    const either = AbortSignal.any([signal, woken.signal]);
    const watching = (async () => {
      for await (const value of bell.subscribe(either)) if (value !== seen) woken.abort();
    })();
    await clock.sleep(ms, either);
    woken.abort();
    await watching;
    // Resources come in numbers.
    await clock.sleep(GATHER_MS, signal);
  }
}

/** @returns whether everything is as it should be */
async function syncOnce(deps: FederationSyncDeps, signal: AbortSignal): Promise<boolean> {
  const { api, resources, isTrusted, onOutcome } = deps;
  if (!resources.isCurrent || !isTrusted()) return false;
  const wanted = chooseByTrustDomain(deps);
  const own = await api.listOwn(signal);
  let isWhole = true;
  for (const [trustDomain, resource] of wanted) {
    try {
      await api.apply(resource, own.get(trustDomain), signal);
      onOutcome(nameOfResource(resource), { reason: "Applied" });
    } catch (err) {
      if (signal.aborted) throw err;
      isWhole = false;
      onOutcome(nameOfResource(resource), { reason: "Refused", message: describeError(err) });
    }
  }
  for (const trustDomain of own.keys()) {
    if (!wanted.has(trustDomain)) await api.delete(trustDomain, signal);
  }
  return isWhole;
}

/** Of several resources for one trust domain the oldest counts. */
function chooseByTrustDomain({
  resources,
  isOurs,
  onOutcome,
}: FederationSyncDeps): ReadonlyMap<string, FederatedTrustDomain> {
  const found: FederatedTrustDomain[] = [];
  for (const { reading } of resources.values()) {
    if (!reading.ok || reading.resource.kind !== "ClusterFederatedTrustDomain") continue;
    if (isOurs(reading.resource)) found.push(reading.resource);
  }
  const chosen = new Map<string, FederatedTrustDomain>();
  for (const resource of found.sort(compareResources)) {
    const other = chosen.get(resource.trustDomain);
    if (other === undefined) chosen.set(resource.trustDomain, resource);
    else {
      const message = `${nameOfResource(other)} is for the same trust domain`;
      onOutcome(nameOfResource(resource), { reason: "Conflict", message });
    }
  }
  return chosen;
}
