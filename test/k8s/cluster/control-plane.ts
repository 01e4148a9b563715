import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import type { Addresses } from "./addresses.ts";
import { ClusterAuthority, makeTokenKeys, type Subject } from "./certificates.ts";
import { Component } from "./component.ts";
import { Host } from "./host.ts";
import { KubeClient } from "./kube-client.ts";
import { kubeconfig } from "./kubeconfig.ts";
import type { WorkFolder } from "./work-folder.ts";

/** What a control plane is started with. */
export interface ControlPlaneOptions {
  readonly folder: WorkFolder;
  readonly binaries: string;
  readonly addresses: Addresses;
  readonly now: Date;
}

/** Features that are off by default and that the product has uses for. */
const gates = ["ClusterTrustBundle", "ClusterTrustBundleProjection", "PodCertificateRequest"];

/** As an argument of a component. */
export const featureGates: string = gates.map((gate) => `${gate}=true`).join(",");

/** Takes the path of a Unix socket, and the host and port to carry its connections to. */
export const relayCommand: readonly string[] = [
  process.execPath,
  join(import.meta.dirname, "relay-main.ts"),
];

const services = ["etcd", "apiserver", "relay", "controllers", "scheduler", "dns"] as const;

/** A part of the control plane. */
export type ServiceName = (typeof services)[number];

/** The machine with etcd, the API server, the controllers, the scheduler and the cluster's DNS. It runs no pods. */
export class ControlPlane implements AsyncDisposable {
  readonly host: Host;
  readonly authority: ClusterAuthority;
  readonly client: KubeClient;
  /** On the control plane's machine; has all rights. */
  readonly kubeconfigPath: string;
  readonly #options: ControlPlaneOptions;
  readonly #components = new Map<ServiceName, Component>();

  private constructor(
    options: ControlPlaneOptions,
    host: Host,
    parts: {
      readonly authority: ClusterAuthority;
      readonly client: KubeClient;
      readonly kubeconfigPath: string;
    },
  ) {
    this.#options = options;
    this.host = host;
    this.authority = parts.authority;
    this.client = parts.client;
    this.kubeconfigPath = parts.kubeconfigPath;
  }

  /** Resolves when the API server is ready; the controllers are then still starting. */
  static async start(options: ControlPlaneOptions): Promise<ControlPlane> {
    const { folder, binaries, addresses, now } = options;
    const authority = await ClusterAuthority.make(now);
    const host = await Host.start({
      name: "control-plane",
      cgroup: `${folder.name}-control-plane`,
      binds: {},
      binaries,
    });
    try {
      await host.run(["sh", "-ec", networkScript(addresses)]);
      const admin = await authority.issue({ user: "admin", group: "system:masters" });
      const socketPath = folder.join("api.sock");
      const tls = { authority: authority.certificate, identity: admin };
      const client = new KubeClient({ socketPath, tls });
      const text = kubeconfig("https://127.0.0.1:6443", authority.certificate, admin);
      const kubeconfigPath = await folder.write("admin.kubeconfig", text);
      const plane = new ControlPlane(options, host, { authority, client, kubeconfigPath });
      await plane.#startAll();
      return plane;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** URL of the API server for nodes and for other clusters. */
  get server(): string {
    return `https://${this.#options.addresses.controlPlane}:6443`;
  }

  /** The key that signs service account tokens, in PEM. */
  get tokenKeyPath(): string {
    return this.#options.folder.join("pki", "tokens.key");
  }

  component(name: ServiceName): Component {
    const found = this.#components.get(name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  /** Resolves once the API server says that it is ready. */
  async untilReady(): Promise<void> {
    const apiserver = this.component("apiserver");
    await eventually(
      "the API server",
      async () => {
        if (!apiserver.running) return "ended";
        await this.client.text("/readyz");
        return "ready";
      },
      { timeoutMs: 60_000 },
    ).then(
      async (answer) => {
        if (answer === "ended") throw new Error(`ended: ${await apiserver.lastWords()}`);
      },
      async (cause: unknown) => {
        throw new Error(`the API server is not ready; ${await apiserver.lastWords()}`, { cause });
      },
    );
  }

  /** A kubeconfig of a user's own, for a component. */
  async writeKubeconfig(name: string, subject: Subject): Promise<string> {
    const identity = await this.authority.issue(subject);
    const text = kubeconfig(this.server, this.authority.certificate, identity);
    return this.#options.folder.write(`pki/${name}.kubeconfig`, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    await this.host[Symbol.asyncDispose]();
  }

  async #startAll(): Promise<void> {
    const { folder } = this.#options;
    // The loopback interface is this machine's own.
    const etcd = "http://127.0.0.1:2379";
    await this.#start("etcd", [
      "etcd",
      ...["--data-dir", folder.join("etcd"), "--unsafe-no-fsync"],
      ...["--listen-client-urls", etcd, "--advertise-client-urls", etcd],
      ...["--listen-peer-urls", "http://127.0.0.1:2380"],
    ]);
    await this.#start("apiserver", await this.#apiserver(etcd));
    await this.#start("relay", [...relayCommand, folder.join("api.sock"), "127.0.0.1", "6443"]);
    await this.untilReady();
    const controllers = await this.writeKubeconfig("controllers", {
      user: "system:kube-controller-manager",
    });
    await this.#start("controllers", [
      "kube-controller-manager",
      `--kubeconfig=${controllers}`,
      `--service-account-private-key-file=${folder.join("pki/tokens.key")}`,
      `--root-ca-file=${folder.join("pki/ca.crt")}`,
      `--cluster-signing-cert-file=${folder.join("pki/ca.crt")}`,
      `--cluster-signing-key-file=${folder.join("pki/ca.key")}`,
      "--use-service-account-credentials",
      // At the default rate it takes five seconds until the first controller runs.
      "--kube-api-qps=500",
      "--kube-api-burst=500",
      "--leader-elect=false",
      "--bind-address=127.0.0.1",
      `--feature-gates=${featureGates}`,
    ]);
    const scheduler = await this.writeKubeconfig("scheduler", { user: "system:kube-scheduler" });
    await this.#start("scheduler", [
      "kube-scheduler",
      `--kubeconfig=${scheduler}`,
      "--leader-elect=false",
      "--bind-address=127.0.0.1",
    ]);
    const dns = await this.writeKubeconfig("dns", { user: "coredns", group: "system:masters" });
    const corefile = await folder.write(
      "Corefile",
      `.:53 {
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${dns}
    pods insecure
    ttl 1
  }
}
`,
    );
    await this.#start("dns", ["coredns", "-conf", corefile]);
  }

  async #apiserver(etcd: string): Promise<readonly string[]> {
    const { folder, addresses } = this.#options;
    const own = await this.authority.issue({
      user: "kube-apiserver",
      dns: [
        ...["kubernetes", "kubernetes.default", "kubernetes.default.svc"],
        ...["kubernetes.default.svc.cluster.local", "localhost"],
      ],
      ips: ["127.0.0.1", addresses.controlPlane, addresses.apiService],
    });
    const toKubelets = await this.authority.issue({ user: "apiserver", group: "system:masters" });
    const tokens = makeTokenKeys();
    const file = (name: string, text: string): Promise<string> => folder.write(`pki/${name}`, text);
    const ca = await file("ca.crt", this.authority.certificate);
    await file("ca.key", this.authority.privateKey);
    const issuer = "https://kubernetes.default.svc";
    return [
      "kube-apiserver",
      `--etcd-servers=${etcd}`,
      "--secure-port=6443",
      `--advertise-address=${addresses.controlPlane}`,
      `--tls-cert-file=${await file("apiserver.crt", own.certificate)}`,
      `--tls-private-key-file=${await file("apiserver.key", own.privateKey)}`,
      `--client-ca-file=${ca}`,
      `--service-account-key-file=${await file("tokens.pub", tokens.publicKey)}`,
      `--service-account-signing-key-file=${await file("tokens.key", tokens.privateKey)}`,
      `--service-account-issuer=${issuer}`,
      `--api-audiences=${issuer}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      "--allow-privileged",
      `--service-cluster-ip-range=${addresses.services}`,
      "--kubelet-preferred-address-types=InternalIP",
      `--kubelet-client-certificate=${await file("to-kubelets.crt", toKubelets.certificate)}`,
      `--kubelet-client-key=${await file("to-kubelets.key", toKubelets.privateKey)}`,
      `--kubelet-certificate-authority=${ca}`,
      `--feature-gates=${featureGates}`,
      "--runtime-config=certificates.k8s.io/v1beta1=true",
    ];
  }

  async #start(name: ServiceName, argv: readonly string[]): Promise<void> {
    const logPath = this.#options.folder.join("logs", `${name}.log`);
    const component = new Component({ name, host: this.host, argv, logPath });
    this.#components.set(name, component);
    await component.start();
  }
}

function networkScript(addresses: Addresses): string {
  return `
ip link add nodes type bridge
ip addr add ${addresses.controlPlane}/24 dev nodes
ip link set nodes up
ip route add default dev nodes
`;
}
