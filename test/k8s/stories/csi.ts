// The Workload API's socket in pods: mounted by the driver, and served on whatever restarts.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import type { KubeObject } from "../cluster/kube-client.ts";
import type { KubeCluster } from "../cluster/kube-cluster.ts";
import type { Pod } from "../cluster/pods.ts";
import { assertNotRefused } from "../world/assert-not-refused.ts";
import { agentPod } from "../world/node-evidence.ts";
import { Workload } from "../world/workload.ts";
import {
  createNamespace,
  defaultId,
  deleteNamespaces,
  installChart,
  system,
  untilNamespacesGone,
} from "../world/world.ts";
import type { Story } from "./story.ts";

const namespace = "apps";
const id = defaultId(namespace);
/** All of it happens there. */
const node = "node1";

/** A pod bound to a node that there is not. */
const elsewhere = "elsewhere";

const podWorkload = join(import.meta.dirname, "../support/pod-workload-main.ts");

interface CsiNode extends KubeObject {
  readonly spec?: { readonly drivers?: readonly { readonly name: string }[] | null };
}

export function csiStories(story: Story): void {
  suite("the socket in pods", () => {
    before(async () => {
      // A kubelet that ends a crowd takes longer to start an agent again than clients wait for an answer.
      await untilNamespacesGone(story.cluster);
      await createNamespace(story.cluster, namespace);
    });
    after(async () => {
      await deleteNamespaces(story.cluster, namespace);
      await installChart(story.cluster);
    });

    const start = (name: string): Promise<Workload> =>
      Workload.create(story.cluster, { name, namespace, node });
    const onNode = (script: string): Promise<string> =>
      story.cluster.node(node).host.run(["sh", "-c", script]);
    /** Ends the process of a part at once. */
    const kill = (command: string): Promise<string> =>
      onNode(
        `ps -e -o pid=,args= | awk '/ ${command} --config/ && !/awk/ { print $1 }' | xargs kill -9`,
      );
    /** What is mounted on the node for a pod. */
    const mountsOf = async ({ metadata }: Pod): Promise<readonly string[]> => {
      const script = `grep '/${metadata.uid}/volumes/kubernetes.io~csi.*/mount ' /proc/1/mountinfo`;
      return (await onNode(`${script} || true`)).split("\n").filter((line) => line !== "");
    };

    test("the kubelet knows the driver", async () => {
      const { spec } = await story.cluster.client.get<CsiNode>(
        "/apis/storage.k8s.io/v1/csinodes/node1",
      );
      assert.deepEqual(
        spec?.drivers?.map(({ name }) => name),
        ["csi.spiffe.io"],
      );
    });

    test("a pod gets it read-only, and leaves no mount behind", async () => {
      const workload = await start("one");
      await workload.untilIdentity(id);
      const pod = await workload.pod();
      const [mount = ""] = await mountsOf(pod);
      const [, , , , , options = ""] = mount.split(" ");
      for (const option of ["ro", "nosuid", "nodev", "noexec"]) {
        assert.ok(options.split(",").includes(option), `${option} in ${options}`);
      }
      const inPod = await onNode("grep -h ' /spiffe ' /proc/[0-9]*/mountinfo | cut -d ' ' -f 6");
      assert.match(inPod, /^ro\b/);
      await story.cluster.client.delete(workload.path, { gracePeriodSeconds: 0 });
      await eventually(
        "the mount to go",
        async () => (await mountsOf(pod)).length === 0 || undefined,
      );
    });

    test("a workload has its stream back when the agent was killed", async () => {
      const workload = await start("two");
      await workload.untilIdentity(id);
      const since = Date.now();
      await kill("agent run");
      await workload.untilIdentity(id, { since });
      await assertNotRefused(workload, since);
    });

    test("nobody notices that the driver was killed", async () => {
      const workload = await start("three");
      await workload.untilIdentity(id);
      const since = Date.now();
      await kill("csi run");
      const later = await start("four");
      await later.untilIdentity(id, { timeoutMs: 60_000 });
      const noticed = (await workload.lines()).filter(({ at }) => at >= since);
      assert.deepEqual(noticed, []);
      // The agent that gave its socket back is the one that serves it.
      await kill("agent run");
      const again = Date.now();
      await workload.untilIdentity(id, { since: again, timeoutMs: 60_000 });
    });

    test("a pod waits for the node's first agent, and then starts", async () => {
      const { client } = story.cluster;
      const agents = `/apis/apps/v1/namespaces/${system}/daemonsets/assay-agent`;
      const placed = (selector: object): Promise<unknown> =>
        client.patch(agents, { spec: { template: { spec: { nodeSelector: selector } } } });
      const podsOf = (app: string): Promise<readonly Pod[]> =>
        client.list<Pod>(
          `/api/v1/namespaces/${system}/pods?labelSelector=app.kubernetes.io%2Fname%3Dassay-${app}`,
        );
      await placed({ "assay.test/none": "true" });
      await eventually(
        "the agent to go",
        async () => ((await podsOf("agent")).length === 0 ? true : undefined),
        { timeoutMs: 60_000 },
      );
      await kill("csi run");
      const workload = await start("five");
      const metrics = async (): Promise<string> => {
        const pod = (await podsOf("csi")).find(({ spec }) => spec?.nodeName === node);
        return client.text(
          `/api/v1/namespaces/${system}/pods/${pod?.metadata.name}:8084/proxy/metrics`,
        );
      };
      await eventually(
        "the pod to wait",
        async () => ((await metrics()).includes("assay_csi_waiting_pods 1") ? true : undefined),
        { timeoutMs: 60_000 },
      );
      assert.equal((await workload.pod()).status?.phase, "Pending");
      await placed({ "assay.test/none": null });
      await workload.untilIdentity(id, { timeoutMs: 60_000 });
    });

    test("a socket of its own and its token say which pod calls where no cgroup does", async () => {
      await installChart(story.cluster, { agent: { podToken: "fallback" } });
      const owner = await start("six");
      const other = await start("seven");
      for (const each of [owner, other]) await each.untilIdentity(id, { timeoutMs: 60_000 });
      const uidOf = async (of: Workload): Promise<string> => (await of.pod()).metadata.uid ?? "";
      const [uid, otherUid] = [await uidOf(owner), await uidOf(other)];
      const socket = (await onNode(`echo /run/assay/pods/${uid}.*/api.sock`)).trim();

      /** Calls on the socket as the sandbox of a pod does: from a process of the node. */
      const call = async (prefix = ""): Promise<string> => {
        const said = await onNode(`${prefix} ${process.execPath} ${podWorkload} ${socket}`);
        const { ids, code } = JSON.parse(said);
        return ids?.join() ?? `refused with ${code}`;
      };
      assert.equal(await call(), id);
      const into = `for h in /sys/fs/cgroup/*/kubepods/*/pod${otherUid}/*[0-9a-f]/; do echo $$ >$h/cgroup.procs; done;`;
      assert.equal(await call(`set -e; ${into} exec`), "refused with 7");

      /** Ends the agent, and its pod with it: a container that ends often is started later each time. */
      const renewAgent = async (): Promise<void> => {
        const { metadata } = await agentPod(story.cluster, node);
        await kill("agent run");
        const path = `/api/v1/namespaces/${system}/pods/${metadata.name}`;
        await story.cluster.client.delete(path, { gracePeriodSeconds: 0 });
      };

      const tokens = "/run/assay/pod-tokens";
      await onNode(`cat ${tokens}/${uid}/* >/tmp/own`);
      const foreign = await tokenOfPodElsewhere(story.cluster);
      for (const theft of [
        `cat ${tokens}/${otherUid}/* >/tmp/stolen`,
        `echo '${JSON.stringify({ "assay-agent": { token: foreign } })}' >/tmp/stolen`,
      ]) {
        await renewAgent();
        await onNode(`${theft}; for f in ${tokens}/${uid}/*; do cp /tmp/stolen $f; done`);
        assert.equal(await call(), "refused with 7");
      }
      await renewAgent();
      await onNode(`for f in ${tokens}/${uid}/*; do cp /tmp/own $f; done`);
      assert.equal(await call(), id);
      // Nobody else would take it away for a while.
      await story.cluster.client.delete(`/api/v1/namespaces/${namespace}/pods/${elsewhere}`, {
        gracePeriodSeconds: 0,
      });
    });
  });
}

/** A token as the driver has them, but of a pod that is bound to another node. */
async function tokenOfPodElsewhere({ client }: KubeCluster): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}`;
  const { metadata } = await client.create<Pod>(`${path}/pods`, {
    metadata: { name: elsewhere },
    spec: { nodeName: "node9", containers: [{ name: "main", image: "none.test/none:1" }] },
  });
  const { name, uid } = metadata;
  const boundObjectRef = { apiVersion: "v1", kind: "Pod", name, uid };
  const made = await client.create<{ readonly status: { readonly token: string } }>(
    `${path}/serviceaccounts/default/token`,
    { spec: { audiences: ["assay-agent"], expirationSeconds: 3600, boundObjectRef } },
  );
  return made.status.token;
}
