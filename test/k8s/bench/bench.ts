import { systemClock } from "../../../runtime/time/clock.ts";
import { Latencies } from "../../bench/latencies.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { createServiceAccount, trustDomain } from "../world/world.ts";
import { BenchPod, identityLabel, namespace } from "./bench-pod.ts";

/** What every row gets: a cluster of one node with the chart on it, and how often to measure. */
export interface Bench {
  readonly cluster: Cluster;
  /** How many times, of what is measured one by one. */
  readonly count: number;
  readonly signal: AbortSignal;
  print(line: string): void;
}

/** The path of the resource that gives the measured pods their identity. */
export const resource = "/apis/spire.spiffe.io/v1alpha1/clusterspiffeids/bench";

/** Makes the namespace of the measured pods and the resource that gives them their identity. */
export async function prepareNamespace({ cluster }: Bench): Promise<void> {
  await cluster.client.create("/api/v1/namespaces", { metadata: { name: namespace } });
  await cluster.client.create(resource.replace(/\/bench$/, ""), {
    apiVersion: "spire.spiffe.io/v1alpha1",
    kind: "ClusterSPIFFEID",
    metadata: { name: "bench" },
    spec: {
      spiffeIDTemplate: `spiffe://${trustDomain}/bench/{{ .PodMeta.Name }}`,
      podSelector: { matchLabels: identityLabel },
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    },
  });
}

/** Pods that have their identity and lose it with the object. */
export class Crew implements AsyncDisposable {
  readonly pods: readonly BenchPod[];

  private constructor(pods: readonly BenchPod[]) {
    this.pods = pods;
  }

  /** Starts pods at once, ten of one service account, and waits until each has its identity. */
  static async start({ cluster }: Bench, name: string, count: number): Promise<Crew> {
    for (let index = 0; index < count; index += 10) {
      await createServiceAccount(cluster, namespace, `${name}-${index / 10}`);
    }
    const pods = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        BenchPod.create(cluster, `${name}-${index}`, `${name}-${Math.floor(index / 10)}`),
      ),
    );
    const crew = new Crew(pods);
    const answered = await Promise.all(pods.map((pod) => pod.identity(0, 180_000)));
    if (answered.every((line) => line !== undefined)) return crew;
    await crew[Symbol.asyncDispose]();
    throw new Error(`not all pods of ${name} have their identity`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.pods.map((pod) => pod.delete()));
    await Promise.all(this.pods.map((pod) => pod.untilGone()));
  }
}

/** Waits for a random time between two, so that no loop of the product is met at the same phase each time. */
export async function pause(bench: Bench, fromMs: number, toMs: number): Promise<void> {
  await systemClock.sleep(fromMs + Math.random() * (toMs - fromMs), bench.signal);
}

/** Times of one kind with the refusals before their end, and how many never ended. */
export class Tally {
  readonly times: Latencies = new Latencies();
  refused = 0;
  lost = 0;
}
