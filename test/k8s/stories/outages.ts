// What goes on while a part is away, and how it comes back.

import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import type { Node } from "../cluster/node.ts";
import { type Pod, untilRunning } from "../cluster/pods.ts";
import { assay } from "../world/assay-command.ts";
import { assertNotRefused } from "../world/assert-not-refused.ts";
import { agentPod } from "../world/node-evidence.ts";
import { killContainer, runInContainer } from "../world/runtime.ts";
import { Workload } from "../world/workload.ts";
import {
  createNamespace,
  defaultId,
  deleteNamespaces,
  system,
  trustDomain,
} from "../world/world.ts";
import type { Story } from "./story.ts";

const namespace = "outages";

export function outageStories(story: Story): void {
  suite("outages", () => {
    after(() => deleteNamespaces(story.cluster, namespace));

    const id = defaultId(namespace);
    let workloads: readonly Workload[] = [];

    test("workloads run before anything goes wrong", async () => {
      const { cluster } = story;
      await createNamespace(cluster, namespace);
      workloads = await Promise.all(
        ["node1", "node2"].map((node) => Workload.create(cluster, { name: node, namespace, node })),
      );
      for (const workload of workloads) await workload.untilIdentity(id);
    });

    test("a container that starts again has its identity at once", async () => {
      const { cluster } = story;
      const options = { name: "again", namespace, node: "node1" };
      const workload = await Workload.create(cluster, options);
      await workload.untilIdentity(id);
      const [before] = await workload.lines();
      await killContainer(cluster.node("node1"), "again");
      // The log is then that of the new container.
      const again = await workload.until("a new start", ({ event }) => event === "start", {
        since: (before?.at ?? 0) + 1,
      });
      await workload.untilIdentity(id, { since: again.at });
      const events = (await workload.lines()).map(({ event }) => event);
      assert.deepEqual(events.slice(0, 2), ["start", "identity"]);
      await workload.delete();
    });

    test("the agent is killed: streams are back soon, and nobody is refused", async (t) => {
      const { cluster } = story;
      const killedAt = Date.now();
      for (const node of cluster.nodes) await killAgent(node);
      for (const workload of workloads) {
        const back = await workload.untilIdentity(id, { since: killedAt });
        t.diagnostic(`${workload.name}: back after ${Math.round(back.at - killedAt)} ms`);
        assert.ok(back.at - killedAt < soonMs, `${back.at - killedAt} ms`);
        await assertNotRefused(workload, killedAt);
      }
    });

    test("the server is away and the agent is killed: streams are back all the same", async () => {
      const { cluster } = story;
      const scale = `/apis/apps/v1/namespaces/${system}/statefulsets/assay-server`;
      await cluster.client.patch(scale, { spec: { replicas: 0 } });
      await eventually(
        "the end of the server",
        async () => {
          const pods = await cluster.client.list(serverPods);
          return pods.length === 0 ? true : undefined;
        },
        { timeoutMs: 60_000 },
      );
      const killedAt = Date.now();
      for (const node of cluster.nodes) await killAgent(node);
      for (const workload of workloads) {
        await workload.untilIdentity(id, { since: killedAt });
        await assertNotRefused(workload, killedAt);
      }
      await cluster.client.patch(scale, { spec: { replicas: 1 } });
      await untilServerReady(story);
    });

    test("the server is killed: it comes back with its keys and entries, and new pods have identities", async () => {
      const { cluster } = story;
      const since = Date.now();
      const path = `/api/v1/namespaces/${system}/pods/assay-server-0`;
      await cluster.client.delete(path, { gracePeriodSeconds: 0 });
      await untilServerReady(story);
      const workload = await Workload.create(cluster, { name: "after-server", namespace });
      await workload.untilIdentity(id, { timeoutMs: 60_000 });
      await workload.delete();
      for (const each of workloads) await assertNotRefused(each, since);
    });

    test("the API server is away: running pods go on, and new processes in them have their identity", async () => {
      const { cluster } = story;
      const since = Date.now();
      const apiserver = cluster.plane.component("apiserver");
      await apiserver.kill();
      await wait(awayMs);
      const node = cluster.node("node2");
      const told = await runInContainer(node, "node2", ["workload", "fetch", "-id", id]);
      assert.match(told, /"complete"/);
      await apiserver.start();
      await cluster.plane.untilReady();
      const workload = await Workload.create(cluster, {
        name: "after-api",
        namespace,
        node: "node2",
      });
      // Kubelets come back at their own pace; the scheduler takes longer still, and nothing here is its.
      await workload.untilRunning({ timeoutMs: 120_000 });
      await workload.untilIdentity(id);
      await workload.delete();
      for (const each of workloads) await assertNotRefused(each, since);
    });

    test("the kubelet is restarted: running pods go on, new ones have identities, and the agent attests with its new token", async () => {
      const { cluster } = story;
      const since = Date.now();
      const node = cluster.node("node1");
      const agent = await agentPod(cluster, node.name);
      const uid = (await cluster.client.get(`/api/v1/nodes/${node.name}`)).metadata.uid;
      const before = await tokenOf(node, agent);
      await node.kubelet.kill();
      await node.kubelet.start();
      const at = { name: "after-kubelet", namespace, node: "node1" };
      const workload = await Workload.create(cluster, at);
      await workload.untilIdentity(id, { timeoutMs: 60_000 });
      await workload.delete();
      for (const each of workloads) await assertNotRefused(each, since);
      // It remembers none of the tokens that it has asked for, and so asks for others.
      await eventually(
        "another token",
        async () => (await tokenOf(node, agent)) !== before || undefined,
        { timeoutMs: 120_000, intervalMs: 500 },
      );
      const agentId = `spiffe://${trustDomain}/spire/agent/k8s_psat/main/${uid}`;
      await assay(cluster, ["agent", "evict", agentId]);
      await eventually(
        "the agent to attest again",
        async () =>
          (await assay(cluster, ["agent", "list"])).some((row) => row["id"] === agentId) ||
          undefined,
        { timeoutMs: 60_000, intervalMs: 500 },
      );
      // Those that come after it find an agent that has what the server knows.
      const later = await Workload.create(cluster, {
        name: "after-evicted",
        namespace,
        node: "node1",
      });
      await later.untilIdentity(id);
      await later.delete();
    });
  });
}

/** The token that the agent proves its node with, as the kubelet has written it. */
async function tokenOf(node: Node, agent: Pod): Promise<string> {
  const volumes = `/var/lib/kubelet/pods/${agent.metadata.uid}/volumes`;
  return node.host.run(["cat", `${volumes}/kubernetes.io~projected/token/assay-agent`]);
}

/** The kubelet takes one second to start a container again; the rest is for a busy machine. */
const soonMs = 30_000;

/** Whoever watches is cut off and tries again later each time; the long variant is a minute. */
const awayMs = process.env["ASSAY_TEST_LONG"] === undefined ? 8_000 : 60_000;

const serverPods = `/api/v1/namespaces/${system}/pods?labelSelector=app.kubernetes.io%2Fname%3Dassay-server`;

async function untilServerReady({ cluster }: Story): Promise<void> {
  await eventually(
    "the server",
    async () => {
      const [pod] = await cluster.client.list<Pod>(serverPods);
      const ready = pod?.status?.containerStatuses?.[0]?.ready === true;
      return ready && pod?.metadata.deletionTimestamp === undefined ? true : undefined;
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  );
  await untilRunning(cluster.client, "assay-server-0", { namespace: system });
}

/** Kills the agent's process on a node, as the kernel would when memory runs out. */
async function killAgent(node: Node): Promise<void> {
  await node.host.run(["pkill", "-KILL", "-f", "assay agent run|agent run --config"]);
}
