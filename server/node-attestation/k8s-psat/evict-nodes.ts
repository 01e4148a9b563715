import { describeError } from "../../../runtime/errors/describe.ts";
import type { Random } from "../../../runtime/random.ts";
import { Backoff } from "../../../runtime/time/backoff.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { type Cluster, clusterUid } from "../../k8s/cluster.ts";
import type { Clusters } from "../../k8s/clusters.ts";
import { isKubeError } from "../../k8s/kube-error.ts";
import { isMassLoss } from "../../k8s/mass-loss.ts";
import { CLUSTER_NAMESPACE, parseNamespace } from "../../k8s/objects/namespace.ts";
import { parseNode } from "../../k8s/objects/node.ts";
import { NAMESPACES, NODES } from "../../k8s/resources.ts";
import { type EvictAgentDeps, evictAgent } from "./evict-agent.ts";
import { agentsOf, type NodeAgent } from "./node-agents.ts";

/** What following the clusters' nodes needs. */
export interface EvictNodesDeps extends EvictAgentDeps {
  readonly clusters: Pick<Clusters, "feed">;
  readonly clock: Clock;
  readonly random: Random;
}

/** Evicts the agents of nodes that are deleted from their cluster. Resolves once `signal` aborts. */
export async function runNodeEviction(deps: EvictNodesDeps, signal: AbortSignal): Promise<void> {
  const followed = new Set<AbortSignal>();
  const running = new Set<Promise<void>>();
  for await (const clusters of deps.clusters.feed.subscribe(signal)) {
    for (const cluster of clusters.values()) {
      if (followed.has(cluster.signal)) continue;
      followed.add(cluster.signal);
      const either = AbortSignal.any([signal, cluster.signal]);
      const following = new NodeEviction(deps, cluster).run(either).finally(() => {
        followed.delete(cluster.signal);
        running.delete(following);
      });
      running.add(following);
    }
  }
  await Promise.all(running);
}

const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 60_000;
const LONGEST_SLEEP_MS = 3_600_000;

/**
 * The nodes of one cluster. A deletion that was seen is believed, once the API server confirms that the node is not there. What a
 * new list lacks, or has another node in the place of, is first compared with what is left, and the API server asked whose it is:
 * one that was restored, or that stands in for another, must not evict a cluster's agents.
 */
class NodeEviction {
  readonly #deps: EvictNodesDeps;
  readonly #cluster: Cluster;
  readonly #backoff: Backoff;
  /** UIDs of nodes that were deleted. */
  readonly #deleted = new Set<string>();
  /** UID of the cluster when it was first seen. */
  #clusterUid: string | undefined;
  #mustCompare = true;
  #wake = new AbortController();

  constructor(deps: EvictNodesDeps, cluster: Cluster) {
    this.#deps = deps;
    this.#cluster = cluster;
    const { random } = deps;
    this.#backoff = new Backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { nodes, namespaces } = this.#cluster;
    this.#clusterUid = clusterUid(this.#cluster);
    using _uid = namespaces.onEvent(() => {
      if (this.#clusterUid !== undefined) return;
      this.#clusterUid = clusterUid(this.#cluster);
      this.#wake.abort();
    });
    using _ = nodes.onEvent((event) => {
      if (event.kind === "removed" && event.isSeen) this.#deleted.add(event.was.uid);
      else if (event.kind === "listed") this.#mustCompare = true;
      else return;
      this.#wake.abort();
    });
    while (!signal.aborted) {
      this.#wake = new AbortController();
      let sleepMs = LONGEST_SLEEP_MS;
      try {
        if (nodes.isReady) await this.#work(signal);
        this.#backoff.reset();
      } catch (err) {
        if (signal.aborted) return;
        sleepMs = this.#backoff.nextMs();
        const { name: cluster } = this.#cluster;
        this.#deps.log.warn(
          { cluster, reason: describeError(err), retry_in_ms: sleepMs },
          "Agents of deleted nodes could not be evicted",
        );
      }
      await this.#deps.clock.sleep(sleepMs, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { store } = this.#deps;
    for (const uid of this.#deleted) {
      for (const agent of await agentsOf(store, this.#cluster.name, uid)) {
        if (await this.#isGone(agent, signal)) await this.#evict(agent);
      }
      this.#deleted.delete(uid);
    }
    if (!this.#mustCompare || this.#clusterUid === undefined) return;
    this.#mustCompare = false;
    try {
      for (const agent of await this.#findOrphans()) {
        if (!(await this.#isGone(agent, signal))) continue;
        if (!(await this.#isSameCluster(this.#clusterUid, signal))) return;
        await this.#evict(agent);
      }
    } catch (err) {
      this.#mustCompare = true;
      throw err;
    }
  }

  /** Agents whose node is not in the list, unless so many are that the list is not to be believed. */
  async #findOrphans(): Promise<readonly NodeAgent[]> {
    const { name: cluster, nodes } = this.#cluster;
    const uids = new Set(Array.from(nodes.values(), ({ uid }) => uid));
    const agents = await agentsOf(this.#deps.store, cluster);
    const orphans = agents.filter(({ nodeUid }) => !uids.has(nodeUid));
    const kept = agents.length - orphans.length;
    if (orphans.length === 0) return [];
    // Not one agent's node: that is another cluster, however few they were.
    if (kept > 0 && !isMassLoss(orphans.length, kept)) return orphans;
    this.#deps.log.error(
      { cluster, count: orphans.length, kept },
      "Too many agents have lost their nodes at once, none is evicted",
    );
    return [];
  }

  async #evict(agent: NodeAgent): Promise<void> {
    await evictAgent(this.#deps, this.#cluster.name, agent);
  }

  async #isGone({ nodeName, nodeUid }: NodeAgent, signal: AbortSignal): Promise<boolean> {
    try {
      const { client } = this.#cluster;
      const { uid } = await client.get(NODES, { name: nodeName }, parseNode, signal);
      return uid !== nodeUid;
    } catch (err) {
      if (isKubeError(err, "not_found")) return true;
      throw err;
    }
  }

  /** Whether the API server still answers for the cluster that it did. Nothing of what it lists concerns the agents otherwise. */
  async #isSameCluster(known: string, signal: AbortSignal): Promise<boolean> {
    const { client, name: cluster } = this.#cluster;
    const ref = { name: CLUSTER_NAMESPACE };
    const { uid } = await client.get(NAMESPACES, ref, parseNamespace, signal);
    if (uid === known) return true;
    this.#deps.log.error(
      { cluster, found_uid: uid, known_uid: known },
      "Another cluster answers under this name, no agent is evicted",
    );
    return false;
  }
}
