// Pods as a kubelet lists them, in JSON. A test names only what matters to it.

export interface PodShape {
  readonly uid?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly serviceAccountName?: string;
  readonly nodeName?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly { kind: string; name: string; uid: string }[];
  readonly containers?: readonly ContainerShape[];
  readonly initContainers?: readonly ContainerShape[];
  readonly ephemeralContainers?: readonly ContainerShape[];
}

export interface ContainerShape {
  readonly name?: string;
  /** Without the runtime's prefix; none for a container that was not made yet. */
  readonly id?: string;
  readonly image?: string;
  readonly imageID?: string;
}

export const POD_UID = "9cf4ab3b-0b1c-4f3a-8a5e-6f3a2d1f0c11";
export const OTHER_POD_UID = "11111111-2222-3333-4444-555555555555";
export const CONTAINER_ID: string = "4f1c0a7e".repeat(8);
export const OTHER_CONTAINER_ID: string = "0b5e91d2".repeat(8);

/** A v1.Pod: "web" in namespace "shop" on "node-1", whose container "app" runs. */
export function podJson(shape: PodShape = {}): object {
  return {
    metadata: {
      uid: shape.uid ?? POD_UID,
      namespace: shape.namespace ?? "shop",
      name: shape.name ?? "web-0",
      labels: shape.labels ?? { app: "web" },
      annotations: { "kubernetes.io/config.source": "api", ...shape.annotations },
      ownerReferences: shape.ownerReferences ?? [
        { apiVersion: "apps/v1", kind: "StatefulSet", name: "web", uid: "s-1", controller: true },
      ],
    },
    spec: {
      serviceAccountName: shape.serviceAccountName ?? "web",
      nodeName: shape.nodeName ?? "node-1",
      containers: [{ name: "app", image: "registry.test/web:1" }],
    },
    status: {
      phase: "Running",
      containerStatuses: (shape.containers ?? [{ id: CONTAINER_ID }]).map(statusJson),
      ...(shape.initContainers && {
        initContainerStatuses: shape.initContainers.map(statusJson),
      }),
      ...(shape.ephemeralContainers && {
        ephemeralContainerStatuses: shape.ephemeralContainers.map(statusJson),
      }),
    },
  };
}

/** A v1.PodList. */
export function podListJson(...pods: readonly unknown[]): string {
  return JSON.stringify({ kind: "PodList", apiVersion: "v1", metadata: {}, items: pods });
}

/** A cgroup path of a container, as the cgroupfs driver has it. */
export function cgroupOf(podUid: string = POD_UID, containerId: string = CONTAINER_ID): string {
  return `/kubepods/besteffort/pod${podUid}/${containerId}`;
}

function statusJson({ name, id, image, imageID }: ContainerShape): object {
  return {
    name: name ?? "app",
    image: image ?? "registry.test/web:1",
    imageID: imageID ?? "registry.test/web@sha256:aaaa",
    ...(id !== undefined && { containerID: `containerd://${id}` }),
  };
}
