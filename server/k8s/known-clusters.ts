import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import type { ClusterSettings } from "../config/cluster-settings.ts";
import type { ClusterRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { type ClusterDefinition, Clusters, type ClustersDeps, openAccess } from "./clusters.ts";

/** What is known by the configuration. */
export type ConfiguredClusters = Readonly<Record<string, ClusterSettings>>;

/** What keeping {@link Clusters} up to date needs. */
export interface KnownClustersDeps extends ClustersDeps {
  readonly store: Pick<Store, "read" | "onCommit">;
  readonly log: Logger;
}

/** Keeps {@link Clusters} as the configuration and the store have them. Of one name, the configuration's counts. */
export class KnownClusters implements AsyncDisposable {
  readonly clusters: Clusters;
  readonly #deps: KnownClustersDeps;
  readonly #commits: Disposable;
  #configured: ConfiguredClusters;

  private constructor(deps: KnownClustersDeps, configured: ConfiguredClusters) {
    this.#deps = deps;
    this.#configured = configured;
    this.clusters = new Clusters(deps);
    this.#commits = deps.store.onCommit(({ changes }) => {
      if (changes.some(({ kind }) => kind === "cluster")) void this.#follow();
    });
  }

  /** @throws {Error} when a cluster of the configuration cannot be used */
  static async open(
    deps: KnownClustersDeps,
    configured: ConfiguredClusters,
  ): Promise<KnownClusters> {
    const known = new KnownClusters(deps, configured);
    try {
      await known.#apply();
    } catch (err) {
      await known[Symbol.asyncDispose]();
      throw err;
    }
    return known;
  }

  /** Whether the configuration has a cluster of this name. */
  isConfigured(name: string): boolean {
    return Object.hasOwn(this.#configured, name);
  }

  /** Checks what {@link KnownClusters.configure} would put in force. @throws {Error} */
  async check(configured: ConfiguredClusters): Promise<void> {
    for (const { name, access } of Object.entries(configured).map(definitionOf)) {
      await openAccess(name, access, this.#deps);
    }
  }

  /** Puts the clusters of a new configuration in force. @throws {Error} and leaves the old ones */
  async configure(configured: ConfiguredClusters): Promise<void> {
    const before = this.#configured;
    this.#configured = configured;
    try {
      await this.#apply();
    } catch (err) {
      this.#configured = before;
      throw err;
    }
  }

  /** Resolves when what the store has by now is in force. */
  async refresh(): Promise<void> {
    await this.#apply();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#commits[Symbol.dispose]();
    await this.clusters[Symbol.asyncDispose]();
  }

  async #apply(): Promise<void> {
    await this.clusters.update(async () => {
      const stored = await this.#deps.store.read("listClusters", {});
      const configured = Object.entries(this.#configured).map(definitionOf);
      const added = stored.filter(({ name }) => !this.isConfigured(name)).map(definitionOfRecord);
      return [...configured, ...added];
    });
  }

  async #follow(): Promise<void> {
    try {
      await this.#apply();
    } catch (err) {
      this.#deps.log.warn(
        { reason: describeError(err) },
        "Clusters could not be brought up to date",
      );
    }
  }
}

function definitionOf([name, settings]: readonly [string, ClusterSettings]): ClusterDefinition {
  const { kubeconfig, context, ...rules } = settings;
  return {
    name,
    origin: "configuration",
    access:
      kubeconfig === undefined
        ? { kind: "in-cluster" }
        : { kind: "kubeconfig", path: kubeconfig, context },
    rules,
  };
}

function definitionOfRecord({ name, access, rules }: ClusterRecord): ClusterDefinition {
  return { name, origin: "store", access: { kind: "static", access }, rules };
}
