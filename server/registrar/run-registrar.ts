/**
 * The registrar of one cluster: entries for its pods from custom resources. It watches the cluster, and writes what changes through
 * the admin API, as one of its callers: what it may write is the server's decision. It gives nothing to anybody by itself, and what it
 * does not know for certain it does not take away.
 */
import { setImmediate } from "node:timers/promises";
import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import { runTasks } from "../../runtime/process/tasks.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { RegistrarSettings } from "../config/registrar-settings.ts";
import { CLUSTER_NAMESPACE } from "../k8s/objects/namespace.ts";
import { followCluster, type WatchedCluster } from "./cluster-follower.ts";
import type { EntryApi } from "./entry-api.ts";
import { ListedEntries } from "./entry-book.ts";
import type { RegistrarMetrics } from "./metrics.ts";
import { type RegistrarState, runReporting } from "./registrar-report.ts";
import { type RegistrarRules, registrarGrants } from "./registrar-rules.ts";
import { RegistrarTerm } from "./registrar-term.ts";
import {
  isInstalled,
  type ResourceCache,
  resourceCaches,
  serviceCache,
} from "./resource-caches.ts";
import { runFederationSync } from "./run-federation.ts";
import { runVerification } from "./run-verification.ts";
import { untilServicesWanted, waitForServices, wantServices } from "./wanted-services.ts";

/** What a registrar needs. */
export interface RegistrarDeps {
  readonly cluster: WatchedCluster;
  readonly trustDomain: string;
  readonly settings: RegistrarSettings;
  readonly api: EntryApi;
  /** Tells this registrar from others of the cluster. */
  readonly instance: string;
  readonly metrics: RegistrarMetrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const GAUGES_MS = 1_000;
/** Runs the registrar of a cluster until `signal` aborts. */
export async function runRegistrar(deps: RegistrarDeps, signal: AbortSignal): Promise<void> {
  const { cluster, random, clock, log } = deps;
  const backoff = new Backoff({ baseMs: 500, maxMs: 30_000, random });
  const accepted = new Set<string>();
  while (!signal.aborted) {
    try {
      await runTerm(deps, accepted, signal);
      backoff.reset();
    } catch (err) {
      if (signal.aborted) return;
      const delayMs = backoff.nextMs();
      log.warn(
        { cluster: cluster.name, reason: describeError(err), retry_in_ms: Math.round(delayMs) },
        "Registrar starts again",
      );
      await clock.sleep(delayMs, signal);
    }
  }
}

/**
 * From a first look at cluster and server until `signal` aborts, or another cluster was confirmed.
 *
 * @param accepted gets the UIDs of the clusters whose place the new one takes
 */
async function runTerm(
  deps: RegistrarDeps,
  accepted: Set<string>,
  signal: AbortSignal,
): Promise<void> {
  const { cluster, api, trustDomain, log, clock } = deps;
  const ended = new AbortController();
  const stop = AbortSignal.any([signal, ended.signal]);
  const cacheDeps = { ...deps, client: cluster.client };
  const resources = resourceCaches(cacheDeps);
  const services = serviceCache(cacheDeps);
  const wanted = Promise.withResolvers<void>();
  stop.addEventListener("abort", () => wanted.resolve());
  const watching = runTasks(
    {
      ...Object.fromEntries(
        resources.map(({ type, cache }) => [type.plural, (until: AbortSignal) => cache.run(until)]),
      ),
      // Watched from the moment that a resource wants their names: it takes a permission of its own.
      services: async (until) => {
        await wanted.promise;
        await services.run(until);
      },
    },
    stop,
  );
  // Without it nothing is heard of the resources any more.
  watching.catch(() => ended.abort());
  try {
    await Promise.all(
      [cluster.namespaces, cluster.nodes, cluster.pods].map((cache) => cache.ready(stop)),
    );
    const own = await listOwn(api, stop);
    await waitForResources(deps, resources, own, stop);
    const rules = rulesOf(deps, trustDomain);
    const term = new RegistrarTerm({ ...deps, rules, client: cluster.client });
    const { className, watchClassless } = deps.settings;
    const isOurs = (resource: { readonly className: string }): boolean =>
      resource.className === className || (resource.className === "" && watchClassless);
    if (wantServices(resources, isOurs)) {
      wanted.resolve();
      await waitForServices(deps, services, stop);
    }
    using _ = followCluster({ cluster, resources, services, isOurs }, term.index, term);
    term.begin(own, accepted);
    log.info(
      { cluster: cluster.name, pods: term.index.podCount, entries: own.byGroup.size },
      "Registrar acts",
    );
    await runTasks(
      {
        writer: (until) => term.writer.run(until),
        federation: (until) => runFederation(deps, term, { resources, isOurs }, until),
        retries: (until) => term.retries.run((group) => term.writer.want(group), until),
        statuses: (until) => term.statuses.run(until),
        verification: (until) => runVerification(deps, term, rules, until),
        resync: (until) => runResync(deps, term, until),
        gauges: (until) => runGauges(deps, term, until),
        services: async (until) => {
          await untilServicesWanted(deps, term, until);
          wanted.resolve();
        },
        report: (until) =>
          runReporting(
            {
              api,
              state: () => stateOf(deps, term, rules),
              confirmed: (id) => {
                // With another cluster everything begins anew, under its UID.
                if (term.confirm(id)?.reason !== "other_cluster") return;
                for (const uid of [rules.clusterUid, ...own.clusterUids]) accepted.add(uid);
                ended.abort();
              },
              clock,
              log,
            },
            until,
          ),
      },
      stop,
    );
  } finally {
    ended.abort();
    await watching;
  }
}

/** Relationships with foreign trust domains, beside the entries. */
async function runFederation(
  deps: RegistrarDeps,
  term: RegistrarTerm,
  o: {
    readonly resources: readonly ResourceCache[];
    readonly isOurs: (resource: { readonly className: string }) => boolean;
  },
  signal: AbortSignal,
): Promise<void> {
  const { settings, cluster, api } = deps;
  const found = o.resources.find(({ type }) => type.kind === "ClusterFederatedTrustDomain");
  // Without the right to it, its resources say so.
  if (found === undefined || !settings.federation) return;
  await runFederationSync(
    {
      ...deps,
      cluster: cluster.name,
      api: api.federation,
      resources: found.cache,
      isOurs: o.isOurs,
      isTrusted: () => term.isTrusted,
      onOutcome: (name, outcome) => term.federated(name, outcome),
      resyncMs: settings.resyncInterval,
    },
    signal,
  );
}

async function listOwn(api: EntryApi, signal: AbortSignal): Promise<ListedEntries> {
  const listed = new ListedEntries();
  for await (const page of api.listOwn(signal)) {
    listed.add(page);
    // A page takes a moment to digest, and others want theirs.
    await setImmediate();
  }
  return listed;
}

/** Kinds that are not installed are not waited for, unless entries say that they were. */
async function waitForResources(
  { cluster }: RegistrarDeps,
  resources: readonly ResourceCache[],
  own: ListedEntries,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    resources.map(async ({ type, cache }) => {
      const isNeeded =
        own.kinds.has(type.kind) || (await isInstalled(cluster.client, type, signal));
      if (isNeeded) await cache.ready(signal);
    }),
  );
}

function rulesOf({ cluster, settings }: RegistrarDeps, trustDomain: string): RegistrarRules {
  return {
    trustDomain,
    clusterName: cluster.name,
    clusterDomain: settings.clusterDomain,
    clusterUid: cluster.namespaces.get(CLUSTER_NAMESPACE)?.uid ?? "",
    grants: registrarGrants(cluster.name, settings),
    ignoredNamespaces: new Set(settings.ignoreNamespaces),
    defaultX509SvidTtlSeconds: Math.floor(settings.defaultX509SvidTtl / 1000),
    defaultJwtSvidTtlSeconds: Math.floor(settings.defaultJwtSvidTtl / 1000),
  };
}

async function runResync(
  { api, settings, clock, log, cluster }: RegistrarDeps,
  term: RegistrarTerm,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await clock.sleep(settings.resyncInterval, signal);
    if (signal.aborted) return;
    try {
      await term.resync(() => listOwn(api, signal));
    } catch (err) {
      if (signal.aborted) return;
      log.warn(
        { cluster: cluster.name, reason: describeError(err) },
        "Registrar could not list its entries",
      );
    }
  }
}

async function runGauges(
  { metrics, clock, cluster: { name: cluster } }: RegistrarDeps,
  term: RegistrarTerm,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    metrics.entries.set({ cluster }, term.book.size);
    metrics.pending.set({ cluster }, term.writer.pending);
    metrics.failing.set({ cluster }, term.failing);
    metrics.holds.set({ cluster }, term.holds.all.length);
    await clock.sleep(GAUGES_MS, signal);
  }
}

function stateOf(
  { cluster, instance }: RegistrarDeps,
  term: RegistrarTerm,
  { clusterUid }: RegistrarRules,
): RegistrarState {
  return {
    cluster: cluster.name,
    instance,
    clusterUid,
    isLeading: true,
    isCurrent: cluster.pods.isCurrent && cluster.nodes.isCurrent && cluster.namespaces.isCurrent,
    pods: term.index.podCount,
    resources: term.index.readings.size,
    entries: term.book.size,
    pending: term.writer.pending,
    failing: term.failing,
    holds: term.holds.all,
  };
}
