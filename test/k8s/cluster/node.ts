import { mkdir, rm } from "node:fs/promises";
import { stringify } from "yaml";
import { eventually } from "../../support/eventually.ts";
import type { Addresses } from "./addresses.ts";
import { volumes, volumesFolder } from "./base-objects.ts";
import { Component } from "./component.ts";
import { type ControlPlane, featureGates } from "./control-plane.ts";
import { Host } from "./host.ts";
import { busyboxImage } from "./image.ts";
import type { KubeObject } from "./kube-client.ts";
import type { WorkFolder } from "./work-folder.ts";

/** What a node is started with. */
export interface NodeOptions {
  readonly folder: WorkFolder;
  readonly binaries: string;
  readonly addresses: Addresses;
  readonly plane: ControlPlane;
  /** From 1; decides name and addresses. */
  readonly number: number;
  /** Archives of the images that it has, all made beforehand: there is no registry. */
  readonly images: readonly string[];
}

/** The part of a Node object that tests read. */
interface NodeObject extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

const staticPods = "/var/lib/kubelet/manifests";
const runtimeSocket = "/run/containerd/containerd.sock";

/** A machine that runs pods: containerd, kubelet and kube-proxy. */
export class Node implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly host: Host;
  readonly containerd: Component;
  readonly kubelet: Component;
  readonly proxy: Component;
  readonly #plane: ControlPlane;

  private constructor(
    options: NodeOptions,
    host: Host,
    parts: Readonly<Record<"containerd" | "kubelet" | "proxy", Component>>,
  ) {
    this.name = nameOf(options);
    this.address = options.addresses.node(options.number);
    this.host = host;
    this.containerd = parts.containerd;
    this.kubelet = parts.kubelet;
    this.proxy = parts.proxy;
    this.#plane = options.plane;
  }

  /** Resolves when its parts run; see `untilReady`. */
  static async start(options: NodeOptions): Promise<Node> {
    const { folder, binaries } = options;
    const name = nameOf(options);
    const disk = folder.join(name);
    // A node that is built anew has a new disk.
    await rm(disk, { recursive: true, force: true });
    await mkdir(disk);
    const host = await Host.start({
      name,
      cgroup: `${folder.name}-${name}`,
      // On a disk: an overlay cannot lie on another one, and a container's root is one.
      binds: {
        "/var/lib/kubelet": `${disk}/kubelet`,
        "/var/lib/containerd": `${disk}/containerd`,
        [volumesFolder]: `${disk}/volumes`,
      },
      binaries,
    });
    try {
      await joinNetwork(options, host);
      const component = (part: string, argv: readonly string[]): Component =>
        new Component({
          name: `${name}-${part}`,
          host,
          argv,
          logPath: folder.join("logs", `${name}-${part}.log`),
        });
      const parts = {
        containerd: component("containerd", await containerdArguments(options)),
        kubelet: component("kubelet", await kubeletArguments(options)),
        proxy: component("proxy", await proxyArguments(options)),
      };
      const node = new Node(options, host, parts);
      await node.#startAll(options.images);
      return node;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Makes the images of an OCI archive known to this node. */
  async importImage(archive: string): Promise<void> {
    const ctr = ["ctr", "--address", runtimeSocket, "--namespace", "k8s.io"];
    await this.host.run([...ctr, "images", "import", "--local", archive]);
  }

  async untilReady(): Promise<void> {
    await eventually(
      `the node ${this.name}`,
      async () => {
        const node = await this.#plane.client.get<NodeObject>(`/api/v1/nodes/${this.name}`);
        const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
        return ready?.status === "True" ? true : undefined;
      },
      { timeoutMs: 60_000, intervalMs: 100 },
    ).catch(async (cause: unknown) => {
      const words = await this.kubelet.lastWords();
      throw new Error(`the node ${this.name} is not ready; ${words}`, { cause });
    });
  }

  /** Its processes and mounts end at once, as if the power failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]();
  }

  async #startAll(images: readonly string[]): Promise<void> {
    const folders = volumes.map((name) => `${volumesFolder}/${name}`);
    await this.host.run(["mkdir", "-p", staticPods, ...folders]);
    await this.containerd.start();
    await this.proxy.start();
    await eventually("containerd", async () => {
      await this.host.run(["ctr", "--address", runtimeSocket, "version"]);
      return true;
    }).catch(async (cause: unknown) => {
      throw new Error(`no runtime; ${await this.containerd.lastWords()}`, { cause });
    });
    for (const image of images) await this.importImage(image);
    await this.kubelet.start();
  }
}

function nameOf({ number }: NodeOptions): string {
  return `node${number}`;
}

async function joinNetwork(options: NodeOptions, host: Host): Promise<void> {
  const { addresses, number, plane } = options;
  const router = addresses.controlPlane;
  await plane.host.run([
    "sh",
    "-ec",
    // The name of a node that was there before may still be taken.
    `ip link delete node${number} 2>/dev/null || true
ip link add node${number} type veth peer name uplink${number}
ip link set node${number} master nodes up
ip route replace ${addresses.podsOf(number)} via ${addresses.node(number)}`,
  ]);
  const move = ["ip", "link", "set", `uplink${number}`, "netns", String(host.pid)];
  await plane.host.runInNetwork([...move, "name", "uplink"]);
  await host.run([
    "sh",
    "-ec",
    `ip addr add ${addresses.node(number)}/24 dev uplink
ip link set uplink up
ip route add default via ${router}
echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects
echo 0 >/proc/sys/net/ipv4/conf/uplink/send_redirects`,
  ]);
}

async function containerdArguments(options: NodeOptions): Promise<readonly string[]> {
  const { folder, binaries, addresses, number } = options;
  const name = nameOf(options);
  await folder.write(
    `${name}/cni/10-pods.conflist`,
    JSON.stringify({
      cniVersion: "1.0.0",
      name: "pods",
      // Each pod behind a link of its own: all its traffic is routed, so services work between neighbours, too.
      plugins: [
        {
          type: "ptp",
          ipMasq: false,
          ipam: {
            type: "host-local",
            dataDir: "/run/cni",
            ranges: [[{ subnet: addresses.podsOf(number) }]],
            routes: [{ dst: "0.0.0.0/0" }],
          },
        },
      ],
    }),
  );
  const config = await folder.write(
    `${name}/containerd.toml`,
    `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${runtimeSocket}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "${busyboxImage}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["${binaries}/cni"]
    conf_dir = "${folder.join(name, "cni")}"
`,
  );
  return ["containerd", "--config", config];
}

async function kubeletArguments(options: NodeOptions): Promise<readonly string[]> {
  const { folder, addresses, plane, number } = options;
  const name = nameOf(options);
  const address = addresses.node(number);
  const own = await plane.authority.issue({ user: name, dns: [name], ips: [address] });
  const kubeconfig = await plane.writeKubeconfig(`${name}-kubelet`, {
    user: `system:node:${name}`,
    group: "system:nodes",
  });
  const config = {
    kind: "KubeletConfiguration",
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: folder.join("pki/ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: await folder.write(`${name}/kubelet.crt`, own.certificate),
    tlsPrivateKeyFile: await folder.write(`${name}/kubelet.key`, own.privateKey),
    containerRuntimeEndpoint: `unix://${runtimeSocket}`,
    cgroupDriver: "cgroupfs",
    failCgroupV1: false,
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    localStorageCapacityIsolation: false,
    oomScoreAdj: 0,
    clusterDNS: [addresses.dnsService],
    clusterDomain: "cluster.local",
    // Tests kill containers more often than clusters do, and would wait a minute for the third time.
    crashLoopBackOff: { maxContainerRestartPeriod: "1s" },
    // A test machine's disk may be full to any degree.
    evictionHard: {
      "memory.available": "1Mi",
      "nodefs.available": "1Mi",
      "imagefs.available": "1Mi",
    },
    imageGCHighThresholdPercent: 100,
    staticPodPath: staticPods,
    volumePluginDir: "/var/lib/kubelet/volume-plugins",
    resolvConf: await folder.write(`${name}/resolv.conf`, ""),
    nodeStatusUpdateFrequency: "2s",
    // The default rates are for machines with fewer pods starting at once.
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
    maxPods: 200,
    readOnlyPort: 0,
    featureGates: Object.fromEntries(
      featureGates.split(",").map((gate) => [gate.replace("=true", ""), true]),
    ),
  };
  return [
    "kubelet",
    `--config=${await folder.write(`${name}/kubelet.yaml`, stringify(config))}`,
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${name}`,
    `--node-ip=${address}`,
  ];
}

async function proxyArguments(options: NodeOptions): Promise<readonly string[]> {
  const { folder, addresses, plane } = options;
  const name = nameOf(options);
  const kubeconfig = await plane.writeKubeconfig(`${name}-proxy`, { user: "system:kube-proxy" });
  const config = {
    kind: "KubeProxyConfiguration",
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    mode: "nftables",
    clientConnection: { kubeconfig },
    hostnameOverride: name,
    clusterCIDR: addresses.pods,
    // Limits of the whole kernel are not a machine's in a namespace to set.
    conntrack: { maxPerCore: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    nftables: { minSyncPeriod: "100ms", syncPeriod: "30s" },
  };
  const path = await folder.write(`${name}/kube-proxy.yaml`, stringify(config));
  return ["kube-proxy", `--config=${path}`];
}
