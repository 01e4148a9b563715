import { eventually } from "../../support/eventually.ts";
import { KubeError } from "../cluster/kube-client.ts";
import type { KubeCluster } from "../cluster/kube-cluster.ts";
import { type Pod, untilRunning } from "../cluster/pods.ts";
import { pullPolicy, workloadImage } from "./images.ts";

/** A line that the program `watch` printed. */
export interface WatchLine {
  /** Milliseconds since 1970, by the workload's clock. */
  readonly at: number;
  readonly event: "start" | "identity" | "refused";
  readonly ids?: readonly string[];
  readonly serial?: string;
  readonly dns?: readonly string[];
  readonly code?: string;
  readonly reason?: string;
}

/** Where and as what a workload runs. */
export interface WorkloadOptions {
  readonly name: string;
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly node?: string;
  /** That with go-spiffe unless given. */
  readonly image?: string;
  /** `watch` unless given. */
  readonly command?: readonly string[];
  /** Fields of the pod's specification that replace ours. */
  readonly spec?: object;
}

/** The object of a pod that has the Workload API by the CSI driver and nothing else of ours. */
export function workloadPod(options: WorkloadOptions): object {
  const { name, namespace = "default", serviceAccount = "default", labels = {}, node } = options;
  const env = [{ name: "SPIFFE_ENDPOINT_SOCKET", value: "unix:///spiffe/api.sock" }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: { app: name, ...labels } },
    spec: {
      serviceAccountName: serviceAccount,
      // With none the object would be gone before the kubelet has ended the containers.
      terminationGracePeriodSeconds: 1,
      // Tests wait for what an identity needs, not for what a token needs.
      automountServiceAccountToken: false,
      ...(node === undefined ? {} : { nodeName: node }),
      containers: [
        {
          name: "main",
          image: options.image ?? workloadImage,
          imagePullPolicy: pullPolicy,
          command: options.command ?? ["/usr/bin/watch"],
          env,
          securityContext: {
            runAsUser: 1000,
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"] },
          },
          volumeMounts: [{ name: "spiffe", mountPath: "/spiffe", readOnly: true }],
        },
      ],
      volumes: [{ name: "spiffe", csi: { driver: "csi.spiffe.io", readOnly: true } }],
      ...options.spec,
    },
  };
}

/** A workload that keeps an X.509 stream open, and what it tells. */
export class Workload {
  readonly name: string;
  readonly namespace: string;
  readonly #cluster: KubeCluster;

  constructor(cluster: KubeCluster, name: string, namespace = "default") {
    this.#cluster = cluster;
    this.name = name;
    this.namespace = namespace;
  }

  /** Asks for the pod and does not wait for it. */
  static async create(cluster: KubeCluster, options: WorkloadOptions): Promise<Workload> {
    const { name, namespace = "default" } = options;
    const body = workloadPod(options);
    let lost = false;
    // A namespace's default service account comes a moment after it.
    await eventually(
      `the pod ${name} to be accepted`,
      async () => {
        try {
          return await cluster.client.create(`/api/v1/namespaces/${namespace}/pods`, body);
        } catch (error) {
          // An earlier request may have arrived although its answer did not.
          if (lost && error instanceof KubeError && error.status === 409) return true;
          if (!(error instanceof KubeError)) lost = true;
          throw error;
        }
      },
      { timeoutMs: 60_000 },
    );
    return new Workload(cluster, name, namespace);
  }

  get path(): string {
    return `/api/v1/namespaces/${this.namespace}/pods/${this.name}`;
  }

  pod(): Promise<Pod> {
    return this.#cluster.client.get<Pod>(this.path);
  }

  untilRunning({ timeoutMs = 90_000 }: { timeoutMs?: number } = {}): Promise<Pod> {
    const { namespace } = this;
    return untilRunning(this.#cluster.client, this.name, { namespace, timeoutMs });
  }

  /** What its container has printed so far. */
  log(): Promise<string> {
    return this.#cluster.client.text(`${this.path}/log`);
  }

  /** Everything it has told so far. */
  async lines(): Promise<readonly WatchLine[]> {
    return (await this.log())
      .split("\n")
      .filter((line) => line !== "")
      .map((line): WatchLine => JSON.parse(line));
  }

  /** The first line from `since` on that fits. @throws {Error} with what it told instead */
  async until(
    what: string,
    fits: (line: WatchLine) => boolean,
    { since = 0, timeoutMs = 60_000 }: { since?: number; timeoutMs?: number } = {},
  ): Promise<WatchLine> {
    return eventually(
      `${what} of ${this.namespace}/${this.name}`,
      async () => {
        const lines = await this.lines();
        const found = lines.find((line) => line.at >= since && fits(line));
        if (found !== undefined) return found;
        throw new Error(`it told: ${JSON.stringify(lines.slice(-5))}`);
      },
      { timeoutMs, intervalMs: 50 },
    );
  }

  /** Waits until it has exactly this identity. */
  untilIdentity(
    id: string,
    options: { since?: number; timeoutMs?: number } = {},
  ): Promise<WatchLine> {
    const fits = ({ ids }: WatchLine): boolean => ids?.length === 1 && ids[0] === id;
    return this.until(`the identity ${id}`, fits, options);
  }

  /** Waits until it is refused. */
  untilRefused(options: { since?: number; timeoutMs?: number } = {}): Promise<WatchLine> {
    return this.until("a refusal", ({ code }) => code === "PermissionDenied", options);
  }

  /** Runs a command in it. */
  exec(...argv: readonly string[]): Promise<string> {
    return this.#cluster.kubectl(["-n", this.namespace, "exec", this.name, "--", ...argv]);
  }

  /** Takes a label away with null. */
  async label(labels: Readonly<Record<string, string | null>>): Promise<void> {
    await this.#cluster.client.patch(this.path, { metadata: { labels } });
  }

  async delete(): Promise<void> {
    await this.#cluster.client.delete(this.path);
  }

  /** Waits until its object is gone. */
  async untilGone(): Promise<void> {
    await eventually(`the end of ${this.name}`, async () => {
      const pods = await this.#cluster.client.list(
        `/api/v1/namespaces/${this.namespace}/pods?fieldSelector=metadata.name%3D${this.name}`,
      );
      return pods.length === 0 ? true : undefined;
    });
  }
}
