import type { CheckResult, Health } from "../runtime/health.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Cluster } from "./k8s/cluster.ts";
import type { Clusters } from "./k8s/clusters.ts";

/** Two bookmarks: an API server that has nothing to say sends one a minute. */
const STALE_MS = 150_000;

/**
 * Whether the server sees what happens in its clusters. One that is away makes it degraded and no more: agents that are attested go
 * on, and so do the other clusters.
 */
export function addClusterHealth(health: Health, clusters: Pick<Clusters, "feed">): void {
  health.add("clusters", () => judgeClusters([...clusters.feed.value.values()]));
}

/** See {@link addClusterHealth}. */
export function judgeClusters(clusters: readonly ClusterView[]): CheckResult {
  const stale = clusters.filter((cluster) => viewAgeMs(cluster) > STALE_MS);
  if (stale.length === 0) return { state: "ok" };
  const names = stale.map(({ name }) => name).join(", ");
  return { state: "degraded", detail: `not up to date about ${names}` };
}

/** How old the views of clusters are, and how large. */
export function addClusterMetrics(metrics: Metrics, clusters: Pick<Clusters, "feed">): void {
  metrics.gauge(
    "assay_server_cluster_view_age_seconds",
    "Time since a cluster's API server was last heard of.",
    ["cluster"],
    (gauge) => {
      gauge.reset();
      for (const cluster of clusters.feed.value.values()) {
        gauge.set({ cluster: cluster.name }, viewAgeMs(cluster) / 1000);
      }
    },
  );
  metrics.gauge(
    "assay_server_cluster_objects",
    "Objects of a cluster that the server knows.",
    ["cluster", "resource"],
    (gauge) => {
      gauge.reset();
      for (const { name, pods, nodes, namespaces } of clusters.feed.value.values()) {
        for (const [resource, { size }] of Object.entries({ pods, nodes, namespaces })) {
          gauge.set({ cluster: name, resource }, size);
        }
      }
    },
  );
}

type ClusterView = Pick<Cluster, "name"> & {
  readonly [Kind in "pods" | "nodes" | "namespaces"]: Pick<Cluster[Kind], "ageMs">;
};

function viewAgeMs({ pods, nodes, namespaces }: ClusterView): number {
  return Math.max(pods.ageMs, nodes.ageMs, namespaces.ageMs);
}
