import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { RegistrarsSettings } from "../config/registrar-settings.ts";
import type { Cluster } from "../k8s/cluster.ts";
import type { Clusters } from "../k8s/clusters.ts";
import type { EntryApi } from "./entry-api.ts";
import type { RegistrarMetrics } from "./metrics.ts";
import { runLeading } from "./run-leading.ts";
import { runRegistrar } from "./run-registrar.ts";

/** What the registrars of a server need. */
export interface RegistrarsDeps {
  readonly clusters: Pick<Clusters, "feed">;
  readonly settings: RegistrarsSettings;
  readonly trustDomain: string;
  /** The admin API as the registrar of a cluster. */
  readonly apiFor: (cluster: string) => EntryApi;
  /** Tells this server from others. */
  readonly instance: string;
  readonly metrics: RegistrarMetrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Runs a registrar for each cluster that has one by the settings, for as long as the cluster is known, until `signal` aborts. */
export async function runRegistrars(deps: RegistrarsDeps, signal: AbortSignal): Promise<void> {
  const running = new Map<string, { readonly ended: AbortSignal; readonly done: Promise<void> }>();
  for await (const clusters of deps.clusters.feed.subscribe(signal)) {
    for (const [name, cluster] of clusters) {
      const known = running.get(name);
      if (deps.settings.clusters[name] === undefined || known?.ended === cluster.signal) continue;
      // The registrar of a cluster that is reached in another way now ends with its connection.
      const done = (known?.done ?? Promise.resolve()).then(() => runOne(deps, cluster, signal));
      running.set(name, { ended: cluster.signal, done });
    }
  }
  await Promise.all([...running.values()].map(({ done }) => done));
}

async function runOne(deps: RegistrarsDeps, cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { name } = cluster;
  const settings = deps.settings.clusters[name];
  if (settings === undefined) return;
  const log = deps.log.child({ component: "registrar", cluster: name });
  if (cluster.rules.agentIdBy === "pod") {
    // Added before the registrar was configured: what it wrote would reach no agent.
    log.error("Registrar does not run, because the agents of the cluster go by pod");
    return;
  }
  const until = AbortSignal.any([signal, cluster.signal]);
  const api = deps.apiFor(name);
  const registrar = { ...deps, cluster, settings, api, log };
  await runLeading({ ...registrar, namespace: settings.leaseNamespace }, until, (leading) =>
    runRegistrar(registrar, leading),
  );
}
