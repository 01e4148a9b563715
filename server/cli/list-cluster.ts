/** A cluster as its API server has it now, listed once: for commands that look and go. */

import { KubeClient } from "../k8s/kube-client.ts";
import { isKubeError } from "../k8s/kube-error.ts";
import { kubeconfigAccess } from "../k8s/kubeconfig.ts";
import { NAMESPACES, NODES, PODS, type Resource } from "../k8s/resources.ts";
import { HttpsTransport } from "../k8s/transport.ts";
import { RESOURCE_TYPES } from "../registrar/resources/resource.ts";

const KINDS: readonly (readonly [string, Resource])[] = [
  ["Pod", PODS],
  ["Node", NODES],
  ["Namespace", NAMESPACES],
  ["Service", { group: "", version: "v1", plural: "services" }],
  ...RESOURCE_TYPES.map((type) => [type.kind, type] as const),
];

/** Objects of the kinds that the registrar looks at. Kinds that are not installed have none. @throws {KubeError} */
export async function listCluster(
  kubeconfig: string,
  context: string | undefined,
  signal: AbortSignal,
): Promise<readonly object[]> {
  using transport = new HttpsTransport(await kubeconfigAccess(kubeconfig, context));
  const client = new KubeClient(transport);
  const lists = await Promise.all(
    KINDS.map(async ([kind, resource]) => {
      try {
        // Members of a list do not say what they are.
        const parse = (raw: unknown): object => ({ ...Object(raw), kind });
        return await client.list(resource, {}, parse, signal);
      } catch (err) {
        if (isKubeError(err, "not_found")) return [];
        throw err;
      }
    }),
  );
  return lists.flat();
}
