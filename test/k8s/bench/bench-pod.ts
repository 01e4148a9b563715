import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { KubeError } from "../cluster/kube-client.ts";
import type { Node } from "../cluster/node.ts";
import type { Pod } from "../cluster/pods.ts";
import { type WatchLine, workloadPod } from "../world/workload.ts";
import { processOf } from "./processes.ts";

/** The namespace of all measured pods. */
export const namespace = "bench";

/** The label that the measured resource asks for. */
export const identityLabel = { "bench-identity": "on" } as const;

const pods = `/api/v1/namespaces/${namespace}/pods`;

/** A workload of the benchmark, read by the files that its container logs to so that reading costs the cluster nothing. */
export class BenchPod {
  readonly name: string;
  readonly uid: string;
  /** Just before it was asked for, in milliseconds since 1970. */
  readonly askedAt: number;
  readonly #cluster: Cluster;
  readonly #node: Node;

  private constructor(cluster: Cluster, node: Node, pod: Pod, askedAt: number) {
    this.#cluster = cluster;
    this.#node = node;
    this.name = pod.metadata.name;
    this.uid = pod.metadata.uid ?? "";
    this.askedAt = askedAt;
  }

  /** Asks for a pod on the first node. @param serviceAccount one that is there, or is about to be */
  static async create(cluster: Cluster, name: string, serviceAccount: string): Promise<BenchPod> {
    const [node] = cluster.nodes;
    if (node === undefined) throw new Error("the cluster has no node");
    const options = { name, namespace, serviceAccount, labels: identityLabel };
    const body = workloadPod(options);
    return eventually(
      `the pod ${name} to be accepted`,
      async () => {
        // A service account that is not known to admission yet is refused; that is no pod's time.
        const askedAt = Date.now();
        const pod = await cluster.client.create<Pod>(pods, body);
        return new BenchPod(cluster, node, pod, askedAt);
      },
      { timeoutMs: 30_000, intervalMs: 10 },
    );
  }

  get path(): string {
    return `${pods}/${this.name}`;
  }

  /** Everything that all its containers have told, in order. */
  async lines(): Promise<readonly WatchLine[]> {
    const folder = this.#node.host.path(`/var/log/pods/${namespace}_${this.name}_${this.uid}/main`);
    const names = await readdir(folder).catch(() => []);
    const texts = await Promise.all(
      names.map((name) => readFile(join(folder, name), "utf8").catch(() => "")),
    );
    return texts
      .flatMap((text) => text.split("\n"))
      .flatMap((line) => parse(line) ?? [])
      .sort((a, b) => a.at - b.at);
  }

  /** The first line since a time that fits, or undefined when none came. */
  async first(
    fits: (line: WatchLine) => boolean,
    { since = 0, timeoutMs = 60_000 }: { since?: number; timeoutMs?: number } = {},
  ): Promise<WatchLine | undefined> {
    const probe = async (): Promise<WatchLine | undefined> =>
      (await this.lines()).find((line) => line.at >= since && fits(line));
    return eventually(this.name, probe, { timeoutMs, intervalMs: 25 }).catch(() => undefined);
  }

  start(since = 0): Promise<WatchLine | undefined> {
    return this.first(({ event }) => event === "start", { since });
  }

  identity(since = 0, timeoutMs = 60_000): Promise<WatchLine | undefined> {
    return this.first(({ event }) => event === "identity", { since, timeoutMs });
  }

  /** How many calls were refused or broke off in a span. */
  async refusals(since: number, until: number): Promise<number> {
    const lines = await this.lines();
    return lines.filter(({ at, event }) => event === "refused" && at >= since && at < until).length;
  }

  /** Sends a signal to its process, past everybody who would do so for us. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    process.kill(await processOf(this.uid, "/usr/bin/watch"), signal);
  }

  async label(value: string | null): Promise<void> {
    const labels = Object.fromEntries(Object.keys(identityLabel).map((key) => [key, value]));
    await this.#cluster.client.patch(this.path, { metadata: { labels } });
  }

  delete(): Promise<void> {
    return this.#cluster.client.delete(this.path);
  }

  async isGone(): Promise<boolean> {
    try {
      return (await this.#cluster.client.get(this.path)).metadata.uid !== this.uid;
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return true;
      throw error;
    }
  }

  async untilGone(): Promise<void> {
    const gone = async (): Promise<true | undefined> => ((await this.isGone()) ? true : undefined);
    await eventually(`the end of ${this.name}`, gone, { timeoutMs: 120_000, intervalMs: 100 });
  }
}

/** A line of a container's log: a time, a stream, a mark, and what was printed. A line that is being written counts as none. */
function parse(line: string): WatchLine | undefined {
  const from = line.indexOf("{");
  if (from === -1 || !line.endsWith("}")) return undefined;
  return JSON.parse(line.slice(from));
}
