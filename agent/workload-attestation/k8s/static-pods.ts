import type { Pod } from "./pod.ts";

export interface StaticPodRules {
  /** Name of this node; without it no copy of a static pod counts. */
  readonly nodeName?: string | undefined;
  readonly namespaces: readonly string[];
}

/**
 * Why a pod that was found by its own UID may not have what it says of itself, or undefined. A static pod comes from a file on
 * the node, which may name any namespace.
 */
export function staticPodProblem(pod: Pod, { namespaces }: StaticPodRules): string | undefined {
  if (pod.source === "api" || namespaces.includes(pod.namespace)) return undefined;
  return "static_pod: its namespace is not one of staticPodNamespaces";
}

/**
 * The same for a pod that was found because it says that it is the API's copy of the static pod with the caller's UID. Whoever
 * may create pods can say so of any UID. The API server lets only a node write a Node as owner.
 */
export function mirrorPodProblem(
  pod: Pod,
  { nodeName, namespaces }: StaticPodRules,
): string | undefined {
  if (!namespaces.includes(pod.namespace)) {
    return "mirror_pod: its namespace is not one of staticPodNamespaces";
  }
  const isOurs =
    nodeName !== undefined &&
    pod.nodeName === nodeName &&
    pod.owners.some(({ kind, name }) => kind === "Node" && name === nodeName);
  return isOurs ? undefined : "mirror_pod: this node does not own it";
}
