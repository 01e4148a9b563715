import type { Addresses } from "./addresses.ts";

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
    ...Array.from({ length: volumes }, (_, index) => ({
      path: "/api/v1/persistentvolumes",
      body: volume(`volume${index + 1}`),
    })),
  ];
}

const storageClass = "local";
const volumes = 6;

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
      hostPath: { path: `/var/lib/volumes/${name}`, type: "DirectoryOrCreate" },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
    },
  };
}
