import type { Selector } from "../../../proto/selector.ts";
import type { ClusterRules } from "../../config/cluster-settings.ts";
import type { FoundPod } from "./find-pod.ts";

/** The type of the selectors, and the attestor's name on the wire. */
export const K8S_PSAT = "k8s_psat";

/** What is known about an agent's pod and node, as selectors. Labels are taken only where the cluster's rules name their keys. */
export function psatSelectors(
  cluster: string,
  { pod, node }: FoundPod,
  rules: Pick<ClusterRules, "nodeLabels" | "podLabels">,
): readonly Selector[] {
  const values = [
    `cluster:${cluster}`,
    `agent_ns:${pod.namespace}`,
    `agent_sa:${pod.serviceAccountName ?? ""}`,
    `agent_pod_name:${pod.name}`,
    `agent_pod_uid:${pod.uid}`,
    ...(pod.hostIp === undefined ? [] : [`agent_node_ip:${pod.hostIp}`]),
    `agent_node_name:${node.name}`,
    `agent_node_uid:${node.uid}`,
    ...labelValues("agent_pod_label", pod.labels, rules.podLabels),
    ...labelValues("agent_node_label", node.labels, rules.nodeLabels),
  ];
  return values.map((value) => ({ type: K8S_PSAT, value }));
}

function labelValues(
  kind: string,
  labels: Readonly<Record<string, string>>,
  keys: readonly string[],
): readonly string[] {
  return Object.entries(labels)
    .filter(([key]) => keys.includes(key))
    .map(([key, value]) => `${kind}:${key}:${value}`);
}
