import type { ContainerStatus, Pod, PodOwner } from "./pod.ts";
import { fields, isFields, list, required, text, texts, UnexpectedShape } from "./read-fields.ts";

/** What a kubelet said. */
export interface PodList {
  readonly pods: readonly Pod[];
  /** Pods that are not as the API has them, or that share their UID: as if they were not there. */
  readonly unusable: number;
}

const annotation = {
  source: "kubernetes.io/config.source",
  hash: "kubernetes.io/config.hash",
  mirror: "kubernetes.io/config.mirror",
} as const;

/**
 * Reads a v1.PodList in JSON.
 *
 * @throws {Error} when the text is no such list; never repeats any of it
 */
export function parsePodList(json: string): PodList {
  let listed: unknown;
  try {
    listed = JSON.parse(json);
  } catch {
    throw new Error("pod list is no JSON");
  }
  if (!isFields(listed)) throw new Error("pod list is no object");
  const items = listed["items"] ?? [];
  if (!Array.isArray(items)) throw new Error("pod list has no items");
  const pods = new Map<string, Pod>();
  const shared = new Set<string>();
  for (const item of items) {
    const pod = parsePod(item);
    if (pod === undefined) continue;
    if (pods.has(pod.uid)) shared.add(pod.uid);
    pods.set(pod.uid, pod);
  }
  for (const uid of shared) pods.delete(uid);
  return { pods: [...pods.values()], unusable: items.length - pods.size };
}

function parsePod(item: unknown): Pod | undefined {
  try {
    const { metadata, spec, status } = fields(item);
    const { uid, namespace, name, labels, ownerReferences, annotations } = fields(metadata);
    const { nodeName, serviceAccountName } = fields(spec);
    const state = fields(status ?? {});
    const notes = fields(annotations ?? {});
    const mirrorOf = notes[annotation.mirror] ?? notes[annotation.hash];
    const source = text(notes[annotation.source] ?? "api");
    return {
      uid: required(uid),
      namespace: required(namespace),
      name: required(name),
      serviceAccount: text(serviceAccountName ?? ""),
      nodeName: text(nodeName ?? ""),
      labels: texts(labels),
      owners: list(ownerReferences).map(parseOwner),
      containers: list(state["containerStatuses"]).map(parseStatus),
      initContainers: list(state["initContainerStatuses"]).map(parseStatus),
      ephemeralContainers: list(state["ephemeralContainerStatuses"]).map(parseStatus),
      source,
      ...(source === "api" && mirrorOf !== undefined && { mirrorOf: text(mirrorOf) }),
    };
  } catch (err) {
    if (err instanceof UnexpectedShape) return undefined;
    throw err;
  }
}

function parseOwner(item: unknown): PodOwner {
  const { kind, name, uid } = fields(item);
  return { kind: required(kind), name: required(name), uid: required(uid) };
}

function parseStatus(item: unknown): ContainerStatus {
  const { name, containerID, image, imageID } = fields(item);
  const containerId = bareId(text(containerID ?? ""));
  return {
    name: required(name),
    image: text(image ?? ""),
    imageId: text(imageID ?? ""),
    ...(containerId !== "" && { containerId }),
  };
}

/** Without the runtime's name: "containerd://4f1c..." */
function bareId(url: string): string {
  return url.slice(url.indexOf("://") + 1).replace(/^\/\//, "");
}
