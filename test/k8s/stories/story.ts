import type { Cluster } from "../cluster/cluster.ts";

/** What stories share: one cluster with the chart installed, which each leaves as it found it. */
export interface Story {
  readonly cluster: Cluster;
}
