import type { Cluster } from "../cluster/cluster.ts";
import type { KubeCluster } from "../cluster/kube-cluster.ts";

/** What stories share: one cluster with the chart installed, which each leaves as it found it. */
export interface Story<C extends KubeCluster = Cluster> {
  readonly cluster: C;
}

/** One that any cluster can tell: it touches no machine. */
export type PortableStory = Story<KubeCluster>;
