import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { ClusterRules } from "../config/cluster-settings.ts";
import type { Access } from "./access.ts";
import { KubeClient } from "./kube-client.ts";
import { CLUSTER_NAMESPACE, type Namespace, parseNamespace } from "./objects/namespace.ts";
import { type Node, parseNode } from "./objects/node.ts";
import { type Pod, parsePod } from "./objects/pod.ts";
import { NAMESPACES, NODES, PODS } from "./resources.ts";
import { HttpsTransport } from "./transport.ts";
import { WatchCache } from "./watch-cache.ts";

/** A cluster that the server knows. Its caches run for as long as it is one of {@link Clusters}. */
export interface Cluster {
  readonly name: string;
  /** Whether it stands in the configuration or was added while running. */
  readonly origin: ClusterOrigin;
  readonly rules: ClusterRules;
  readonly client: KubeClient;
  readonly pods: WatchCache<Pod>;
  readonly nodes: WatchCache<Node>;
  readonly namespaces: WatchCache<Namespace>;
  /** Aborts when the cluster is taken away, or reached in another way from then on. */
  readonly signal: AbortSignal;
}

/** Where a cluster was named. */
export type ClusterOrigin = "configuration" | "store";

/** What tells two clusters apart whatever they are called: the UID of kube-system. Undefined before it has been seen. */
export function clusterUid({ namespaces }: Pick<Cluster, "namespaces">): string | undefined {
  return namespaces.get(CLUSTER_NAMESPACE)?.uid;
}

/** What opening a cluster needs from outside. */
export interface ClusterDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** The moving parts of a cluster, apart from its rules: they stay when only those change. */
export class OpenCluster implements AsyncDisposable {
  readonly client: KubeClient;
  readonly pods: WatchCache<Pod>;
  readonly nodes: WatchCache<Node>;
  readonly namespaces: WatchCache<Namespace>;
  readonly #transport: HttpsTransport;
  readonly #stopping = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(name: string, access: Access, deps: ClusterDeps) {
    const { clock, random } = deps;
    const log = deps.log.child({ cluster: name });
    this.#transport = new HttpsTransport(access);
    this.client = new KubeClient(this.#transport);
    const shared = { client: this.client, clock, random, log };
    this.pods = new WatchCache({ ...shared, resource: PODS, parse: parsePod });
    this.nodes = new WatchCache({ ...shared, resource: NODES, parse: parseNode });
    this.namespaces = new WatchCache({ ...shared, resource: NAMESPACES, parse: parseNamespace });
    const caches = [this.namespaces, this.nodes, this.pods];
    this.#running = Promise.all(caches.map((cache) => cache.run(this.#stopping.signal)));
  }

  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#transport[Symbol.dispose]();
  }
}
