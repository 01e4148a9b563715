import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { ClusterRules } from "../config/cluster-settings.ts";
import { type Access, type StaticAccess, staticAccess } from "./access.ts";
import { type Cluster, type ClusterDeps, type ClusterOrigin, OpenCluster } from "./cluster.ts";
import { inClusterAccess } from "./in-cluster.ts";
import { kubeconfigAccess } from "./kubeconfig.ts";

/** How a cluster is reached, as it is written down. */
export type ClusterAccess =
  | { readonly kind: "in-cluster" }
  | { readonly kind: "kubeconfig"; readonly path: string; readonly context?: string | undefined }
  | { readonly kind: "static"; readonly access: StaticAccess };

/** A cluster as it is written down. */
export interface ClusterDefinition {
  readonly name: string;
  readonly origin: ClusterOrigin;
  readonly access: ClusterAccess;
  readonly rules: ClusterRules;
}

/** What the registry needs from outside. */
export interface ClustersDeps extends ClusterDeps {
  /** The process's environment; in a pod it names the API server. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface Known {
  /** The definition's access as text, to see whether it is another one. */
  readonly reached: string;
  readonly open: OpenCluster;
  readonly cluster: Cluster;
}

/**
 * The Kubernetes clusters of this server, by name: those of the configuration and those that were added while running are the
 * same here. Node attestation and the registrar read them; nobody else keeps a view of a cluster.
 */
export class Clusters implements AsyncDisposable {
  readonly #deps: ClustersDeps;
  readonly #feed = new Feed<ReadonlyMap<string, Cluster>>(new Map());
  #known = new Map<string, Known>();
  // Definitions are put in force one after the other.
  #busy: Promise<unknown> = Promise.resolve();

  constructor(deps: ClustersDeps) {
    this.#deps = deps;
  }

  get(name: string): Cluster | undefined {
    return this.#known.get(name)?.cluster;
  }

  /** All of them, each time one comes, goes or gets other rules. */
  get feed(): ReadFeed<ReadonlyMap<string, Cluster>> {
    return this.#feed;
  }

  /**
   * Makes the clusters those that `read` answers; one call after the other, so the last one called decides. Clusters that are
   * reached as before keep their connection and their view. An API server that is away is no error: its caches go on trying.
   *
   * @throws {Error} naming the cluster whose access cannot be used; then nothing has changed
   */
  update(read: () => Promise<readonly ClusterDefinition[]>): Promise<void> {
    const setting = this.#busy.then(async () => this.#set(await read()));
    this.#busy = setting.catch(() => {});
    return setting;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.update(async () => []);
  }

  async #set(definitions: readonly ClusterDefinition[]): Promise<void> {
    const accesses = new Map<string, Access>();
    for (const { name, access } of definitions) {
      if (this.#known.get(name)?.reached === JSON.stringify(access)) continue;
      accesses.set(name, await openAccess(name, access, this.#deps));
    }
    const next = new Map<string, Known>();
    for (const definition of definitions) {
      const { name, origin, rules } = definition;
      const access = accesses.get(name);
      const before = this.#known.get(name);
      const open = access === undefined ? before?.open : new OpenCluster(name, access, this.#deps);
      if (open === undefined) continue;
      const { client, pods, nodes, namespaces, signal } = open;
      const cluster = { name, origin, rules, client, pods, nodes, namespaces, signal };
      next.set(name, { reached: JSON.stringify(definition.access), open, cluster });
    }
    const gone = [...this.#known].filter(([name, { open }]) => next.get(name)?.open !== open);
    this.#known = next;
    this.#feed.set(new Map(Array.from(next, ([name, { cluster }]) => [name, cluster])));
    await Promise.all(gone.map(([, { open }]) => open[Symbol.asyncDispose]()));
  }
}

/** Checks that the access of a cluster can be used, as far as can be told without asking it. @throws {Error} */
export async function openAccess(
  name: string,
  access: ClusterAccess,
  { env }: Pick<ClustersDeps, "env">,
): Promise<Access> {
  try {
    switch (access.kind) {
      case "in-cluster":
        return inClusterAccess(env);
      case "kubeconfig":
        return await kubeconfigAccess(access.path, access.context);
      case "static":
        return staticAccess(access.access);
    }
  } catch (cause) {
    throw new Error(`cluster ${name}`, { cause });
  }
}
