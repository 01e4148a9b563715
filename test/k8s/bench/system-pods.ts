// The product's own pods, and what is done to them.

import { eventually } from "../../support/eventually.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Pod } from "../cluster/pods.ts";
import { system } from "../world/world.ts";

const scale = `/apis/apps/v1/namespaces/${system}/statefulsets/assay-server`;

/** The pod of a part that is ready. @param part "assay-agent" or "assay-server" */
export function readyPod(cluster: Cluster, part: string, notUid = ""): Promise<Pod> {
  return eventually(
    part,
    async () => {
      const [pod, ...others] = await podsOf(cluster, part);
      if (pod === undefined || others.length > 0 || pod.metadata.uid === notUid) return undefined;
      const ready = pod.status?.containerStatuses?.every((status) => status.ready) === true;
      return ready ? pod : undefined;
    },
    { timeoutMs: 120_000, intervalMs: 100 },
  );
}

/** A new agent: the kubelet waits ever longer before it starts a killed one again, but not that of a new pod. */
export async function replaceAgent(cluster: Cluster): Promise<Pod> {
  const { metadata } = await readyPod(cluster, "assay-agent");
  await cluster.client.delete(`/api/v1/namespaces/${system}/pods/${metadata.name}`);
  return readyPod(cluster, "assay-agent", metadata.uid);
}

/** Stops the server, and waits until its pod is gone. */
export async function stopServer(cluster: Cluster): Promise<void> {
  await cluster.client.patch(scale, { spec: { replicas: 0 } });
  const gone = async (): Promise<true | undefined> =>
    (await podsOf(cluster, "assay-server")).length === 0 ? true : undefined;
  await eventually("the end of the server", gone, { timeoutMs: 120_000, intervalMs: 100 });
}

/** Starts the server again, and waits until it is ready. */
export async function startServer(cluster: Cluster): Promise<void> {
  await cluster.client.patch(scale, { spec: { replicas: 1 } });
  await readyPod(cluster, "assay-server");
}

function podsOf(cluster: Cluster, part: string): Promise<readonly Pod[]> {
  const selector = `labelSelector=app.kubernetes.io%2Fname%3D${part}`;
  return cluster.client.list<Pod>(`/api/v1/namespaces/${system}/pods?${selector}`);
}
