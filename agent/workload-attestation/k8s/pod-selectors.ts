/**
 * The selectors of type `k8s`, in the public words. They stand in groups that become known together, so that a group is either
 * told in full or reported as unknown.
 */
import type { ContainerStatus, Pod } from "./pod.ts";

/** What becomes known together, with the prefixes of its selectors. */
const groups = {
  /** As soon as the kubelet lists the pod; never changes. */
  pod: ["ns:", "sa:", "node-name:", "pod-name:"],
  /** As soon as it lists the pod; changes while the pod runs. */
  labels: ["pod-label:", "pod-owner:", "pod-owner-uid:"],
  /** As soon as it lists the container; never changes. */
  container: ["container-name:", "container-image:"],
  /** As soon as it lists the container; changes when other containers of the pod do. */
  images: ["pod-image:", "pod-image-count:", "pod-init-image:", "pod-init-image-count:"],
  /** Told by the API server, not by the kubelet; changes while the pod runs. */
  namespace: ["ns-label:"],
} as const;

export type SelectorGroup = keyof typeof groups;

/** The prefixes of everything in these groups. */
export function prefixesOf(names: readonly SelectorGroup[]): readonly string[] {
  return names.flatMap((name) => groups[name]);
}

/** Values of the group `pod`. */
export function podValues(pod: Pod): readonly string[] {
  const { namespace, serviceAccount, nodeName, name } = pod;
  return [`ns:${namespace}`, `sa:${serviceAccount}`, `node-name:${nodeName}`, `pod-name:${name}`];
}

/** Values of the group `labels`. */
export function labelValues({ labels, owners }: Pod): readonly string[] {
  return [
    ...Object.entries(labels).map(([key, value]) => `pod-label:${key}:${value}`),
    ...owners.flatMap(({ kind, name, uid }) => [
      `pod-owner:${kind}:${name}`,
      `pod-owner-uid:${kind}:${uid}`,
    ]),
  ];
}

/** Values of the group `namespace`. */
export function namespaceValues(labels: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(labels).map(([key, value]) => `ns-label:${key}:${value}`);
}

/** Values of the group `container`. */
export function containerValues(status: ContainerStatus): readonly string[] {
  return [
    `container-name:${status.name}`,
    ...imagesOf([status]).map((image) => `container-image:${image}`),
  ];
}

/** Values of the group `images`; ephemeral containers are not part of a pod's definition and do not count. */
export function imageValues({ containers, initContainers }: Pod): readonly string[] {
  return [
    `pod-image-count:${containers.length}`,
    `pod-init-image-count:${initContainers.length}`,
    ...imagesOf(containers).map((image) => `pod-image:${image}`),
    ...imagesOf(initContainers).map((image) => `pod-init-image:${image}`),
  ];
}

/** By name and by digest, each once. */
function imagesOf(statuses: readonly ContainerStatus[]): readonly string[] {
  const images = statuses.flatMap(({ image, imageId }) => [image, imageId]);
  return [...new Set(images)].filter((image) => image !== "");
}
