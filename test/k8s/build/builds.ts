// What a cluster is built from: Go modules, each pinned by the go.mod and go.sum of a folder here.

const kubernetes = "1.36.3";

/** Helm is wanted without a cluster, too. */
export type BuildGroup = "cluster" | "helm";

/** One `go build`. */
export interface Build {
  /** The folder beside this file whose module pins it. */
  readonly module: string;
  readonly packages: readonly string[];
  /** A file, or with a slash at the end a folder that takes all commands by their names. */
  readonly output: string;
  readonly tags?: string;
  readonly cgo?: boolean;
  /** Values of string variables that a release would be linked with. */
  readonly variables?: Readonly<Record<string, string>>;
}

const [major = "", minor = ""] = kubernetes.split(".");
const componentBase = "k8s.io/component-base/version";
const containerd = "github.com/containerd/containerd/v2";
const plugins = "github.com/containernetworking/plugins/plugins";

/** What belongs together, each in the order in which it is made: what takes longest first. */
export const builds: Readonly<Record<BuildGroup, readonly Build[]>> = {
  helm: [{ module: "helm", packages: ["helm.sh/helm/v3/cmd/helm"], output: "helm" }],
  cluster: [
    {
      module: "kubernetes",
      packages: [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
        "kube-proxy",
        "kubectl",
      ].map((command) => `k8s.io/kubernetes/cmd/${command}`),
      output: "./",
      // Clients and kubelets compare versions, so the binaries have to know theirs.
      variables: {
        [`${componentBase}.gitVersion`]: `v${kubernetes}`,
        [`${componentBase}.gitMajor`]: major,
        [`${componentBase}.gitMinor`]: minor,
        [`${componentBase}.gitTreeState`]: "clean",
        [`${componentBase}.gitCommit`]: "module",
      },
    },
    { module: "kubernetes", packages: ["go.etcd.io/etcd/server/v3"], output: "etcd" },
    {
      module: "containerd",
      packages: ["containerd", "containerd-shim-runc-v2", "ctr"].map(
        (command) => `${containerd}/cmd/${command}`,
      ),
      output: "./",
      tags: "no_btrfs,no_zfs,no_devmapper",
      variables: { [`${containerd}/version.Version`]: "v2.4.2" },
    },
    {
      module: "containerd",
      packages: ["github.com/opencontainers/runc"],
      output: "runc",
      // Without it every sandbox is refused for its seccomp profile.
      tags: "seccomp",
      cgo: true,
      variables: { "main.version": "1.5.2" },
    },
    {
      module: "containerd",
      packages: ["main/ptp", "main/loopback", "ipam/host-local"].map(
        (name) => `${plugins}/${name}`,
      ),
      output: "cni/",
    },
    { module: "coredns", packages: ["."], output: "coredns" },
  ],
};
