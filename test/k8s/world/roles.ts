import type { KubeCluster } from "../cluster/kube-cluster.ts";
import { trustDomain } from "./world.ts";

/** Where resources that give pods identities are. */
export const spiffeIdResources = "/apis/spire.spiffe.io/v1alpha1/clusterspiffeids";

/** Gives the pods of a namespace identities by their label `role`; the resource has the name of the namespace. */
export async function giveRoles(cluster: KubeCluster, namespace: string): Promise<void> {
  await cluster.client.create(spiffeIdResources, {
    apiVersion: "spire.spiffe.io/v1alpha1",
    kind: "ClusterSPIFFEID",
    metadata: { name: namespace },
    spec: {
      spiffeIDTemplate: 'spiffe://{{ .TrustDomain }}/role/{{ index .PodMeta.Labels "role" }}',
      podSelector: { matchExpressions: [{ key: "role", operator: "Exists" }] },
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    },
  });
}

/** The identity of such a pod. */
export function roleId(role: string): string {
  return `spiffe://${trustDomain}/role/${role}`;
}
