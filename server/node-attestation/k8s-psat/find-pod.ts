import { permissionDenied } from "../../../runtime/errors/status-error.ts";
import type { Cluster } from "../../k8s/cluster.ts";
import { isKubeError } from "../../k8s/kube-error.ts";
import type { Node } from "../../k8s/objects/node.ts";
import { parseNode } from "../../k8s/objects/node.ts";
import { type Pod, parsePod } from "../../k8s/objects/pod.ts";
import { NODES, PODS } from "../../k8s/resources.ts";
import type { ReviewedToken } from "../../k8s/token-review.ts";

/** The objects that an accepted token speaks of, as they are now. */
export interface FoundPod {
  readonly pod: Pod;
  readonly node: Node;
}

/**
 * Finds the pod that a token is bound to, and its node, and checks that they are those of the token's claims. The API server
 * accepts a token for as long as the pod's object is there: of a pod that is on its way out it is refused here.
 *
 * @throws {StatusError} PERMISSION_DENIED
 * @throws {KubeError} when the API server has to be asked and does not answer
 */
export async function findPod(
  cluster: Cluster,
  { serviceAccount, pod: claimed, node: claimedNode }: ReviewedToken,
  signal: AbortSignal,
): Promise<FoundPod> {
  if (claimed === undefined) throw refused("token_not_bound", "the token is not bound to a pod");
  const pod = await lookUpPod(cluster, serviceAccount.namespace, claimed, signal);
  if (pod?.uid !== claimed.uid) throw refused("pod_gone", "the token's pod is gone");
  if (pod.deletionTimestamp !== undefined) {
    throw refused("pod_terminating", "the token's pod is terminating");
  }
  if (pod.phase === "Succeeded" || pod.phase === "Failed") {
    throw refused("pod_gone", "the token's pod has ended");
  }
  if (pod.serviceAccountName !== serviceAccount.name || pod.nodeName === undefined) {
    throw refused("pod_mismatch", "the token's pod does not run under its service account");
  }
  const node = await lookUpNode(cluster, pod.nodeName, claimedNode?.uid, signal);
  if (node === undefined) throw refused("node_gone", "the pod's node is gone");
  const isClaimed = claimedNode === undefined || claimedNode.name === node.name;
  if (!isClaimed || (claimedNode !== undefined && claimedNode.uid !== node.uid)) {
    throw refused("node_mismatch", "the token was made on another node than the pod's");
  }
  return { pod, node };
}

// The view is good enough to say yes; for a no, and while it does not follow, the API server is asked for this one object.
async function lookUpPod(
  { client, pods }: Cluster,
  namespace: string,
  { name, uid }: { readonly name: string; readonly uid: string },
  signal: AbortSignal,
): Promise<Pod | undefined> {
  const known = pods.isCurrent ? pods.get(name, namespace) : undefined;
  if (known?.uid === uid) return known;
  return await orMissing(client.get(PODS, { namespace, name }, parsePod, signal));
}

async function lookUpNode(
  { client, nodes }: Cluster,
  name: string,
  uid: string | undefined,
  signal: AbortSignal,
): Promise<Node | undefined> {
  const known = nodes.isCurrent ? nodes.get(name) : undefined;
  if (known !== undefined && (uid === undefined || known.uid === uid)) return known;
  return await orMissing(client.get(NODES, { name }, parseNode, signal));
}

async function orMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (err) {
    // "invalid": what is no name is the name of nothing.
    if (isKubeError(err, "not_found", "invalid")) return undefined;
    throw err;
  }
}

function refused(reason: string, message: string) {
  return permissionDenied(`failed to attest: ${message}`, { reason });
}
