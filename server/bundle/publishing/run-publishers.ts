import type { ReadFeed } from "../../../runtime/feed.ts";
import type { PublisherSettings } from "../../config/publisher-settings.ts";
import type { Cluster } from "../../k8s/cluster.ts";
import { type BundlePublisherDeps, runBundlePublisher } from "./bundle-publisher.ts";
import { runFilePublisher, runHttpPublisher } from "./document-publisher.ts";

export interface PublishersDeps
  extends Pick<BundlePublisherDeps, "bundle" | "clock" | "random" | "log"> {
  readonly settings: PublisherSettings;
  /** The clusters that are known, by name. */
  readonly clusters: ReadFeed<ReadonlyMap<string, Cluster>>;
}

/** Publishes in every place that the settings name. Ends when `signal` aborts. */
export async function runPublishers(deps: PublishersDeps, signal: AbortSignal): Promise<void> {
  const { files, http } = deps.settings;
  await Promise.all([
    ...files.map((each) => runFilePublisher(deps, each, signal)),
    ...http.map((each) => runHttpPublisher(deps, each, signal)),
    runInClusters(deps, signal),
  ]);
}

/** In each cluster that the settings name, for as long as it is known. */
async function runInClusters(deps: PublishersDeps, signal: AbortSignal): Promise<void> {
  const { settings, clusters, log, ...rest } = deps;
  const running = new Map<string, { readonly cluster: Cluster; readonly ended: Promise<void> }>();
  for await (const known of clusters.subscribe(signal)) {
    for (const [name, own] of Object.entries(settings.kubernetes.clusters)) {
      const cluster = known.get(name);
      // Its signal has aborted when it is gone or reached in another way; only other rules leave it as it is.
      if (cluster === undefined || running.get(name)?.cluster.signal === cluster.signal) continue;
      const stop = AbortSignal.any([signal, cluster.signal]);
      const { client, namespaces } = cluster;
      const parts = {
        ...rest,
        client,
        namespaces,
        settings: own,
        log: log.child({ cluster: name }),
      };
      running.set(name, { cluster, ended: runBundlePublisher(parts, stop) });
    }
  }
  await Promise.all(Array.from(running.values(), ({ ended }) => ended));
}
