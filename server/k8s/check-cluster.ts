import type { KubeClient } from "./kube-client.ts";
import { CLUSTER_NAMESPACE, parseNamespace } from "./objects/namespace.ts";
import { NAMESPACES, NODES, PODS } from "./resources.ts";
import { reviewToken } from "./token-review.ts";

/**
 * Asks an API server for everything that node attestation needs, once: whether it answers, and whether we may.
 *
 * @returns the UID of the cluster
 * @throws {KubeError} naming what was refused
 */
export async function checkCluster(client: KubeClient, signal: AbortSignal): Promise<string> {
  const { uid } = await client.get(NAMESPACES, { name: CLUSTER_NAMESPACE }, parseNamespace, signal);
  for (const resource of [NAMESPACES, NODES, PODS]) {
    await client.listPage(resource, {}, { limit: 1 }, signal);
  }
  // No token at all: the answer does not matter, only that there is one.
  await reviewToken(client, { token: "x", audiences: ["assay-server"] }, signal);
  return uid;
}
