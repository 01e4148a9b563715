import type { Addresses } from "./addresses.ts";

/** Where a node has the folders of its volumes. */
export const volumesFolder = "/var/lib/volumes";

/** The volumes that a cluster has, all on its first node. */
export const volumes: readonly string[] = ["volume1", "volume2", "volume3", "volume4"];

/** What a new cluster has beside nodes: names by DNS, and volumes. Each with the path it is created at. */
export function baseObjects(
  addresses: Addresses,
): readonly { readonly path: string; readonly body: object }[] {
  const inSystem = "/api/v1/namespaces/kube-system";
  const ports = [
    { name: "dns", port: 53, protocol: "UDP" },
    { name: "dns-tcp", port: 53, protocol: "TCP" },
  ];
  return [
    {
      path: `${inSystem}/services`,
      body: { metadata: { name: "kube-dns" }, spec: { clusterIP: addresses.dnsService, ports } },
    },
    {
      path: "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
      body: {
        metadata: {
          name: "kube-dns-1",
          labels: { "kubernetes.io/service-name": "kube-dns" },
        },
        addressType: "IPv4",
        ports,
        endpoints: [{ addresses: [addresses.controlPlane], conditions: { ready: true } }],
      },
    },
    {
      path: "/apis/storage.k8s.io/v1/storageclasses",
      body: {
        metadata: {
          name: storageClass,
          annotations: { "storageclass.kubernetes.io/is-default-class": "true" },
        },
        provisioner: "kubernetes.io/no-provisioner",
        volumeBindingMode: "WaitForFirstConsumer",
      },
    },
    ...volumes.map((name) => ({ path: "/api/v1/persistentvolumes", body: volume(name) })),
  ];
}

const storageClass = "local";

/** A folder of the first node, as there is no storage that all would share. */
function volume(name: string): object {
  const matchExpressions = [{ key: "kubernetes.io/hostname", operator: "In", values: ["node1"] }];
  return {
    metadata: { name },
    spec: {
      storageClassName: storageClass,
      capacity: { storage: "10Gi" },
      accessModes: ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy: "Retain",
      // Unlike those of hostPath, such volumes are given to the group of the pod.
      local: { path: `${volumesFolder}/${name}` },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
    },
  };
}
