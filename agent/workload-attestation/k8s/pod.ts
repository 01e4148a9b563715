/**
 * A pod as far as the agent uses it: what a kubelet lists, cut down. Nothing of it was signed by anybody; it is as good as the
 * connection to the kubelet.
 */
export interface Pod {
  /** Of a static pod the hash of its file, which its cgroup carries too; its copy in the API has another. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** "" for a static pod. */
  readonly serviceAccount: string;
  readonly nodeName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly owners: readonly PodOwner[];
  readonly containers: readonly ContainerStatus[];
  /** Sidecars among them. */
  readonly initContainers: readonly ContainerStatus[];
  readonly ephemeralContainers: readonly ContainerStatus[];
  /** Where the kubelet has the pod from: "api", or "file" or "http" for a static one. The kubelet itself says so. */
  readonly source: string;
  /** Hash of the static pod that this is the API's copy of; anybody who may create pods can write one. */
  readonly mirrorOf?: string;
}

/** An entry of metadata.ownerReferences. */
export interface PodOwner {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** An entry of one of the lists of container statuses. */
export interface ContainerStatus {
  readonly name: string;
  /** As the runtime has it, without "containerd://"; absent until the container was made. */
  readonly containerId?: string;
  readonly image: string;
  /** The image by its digest; "" while it is not known. */
  readonly imageId: string;
}
