// The Workload API's socket in pods: mounted by the driver, and served on whatever restarts.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";
import type { Cluster } from "./cluster/cluster.ts";
import type { KubeObject } from "./cluster/kube-client.ts";
import { clusterNeeds } from "./cluster/needs.ts";
import type { Pod } from "./cluster/pods.ts";
import { Workload } from "./world/workload.ts";
import { installChart, startWithImages, system, trustDomain } from "./world/world.ts";

const namespace = "apps";
const id = `spiffe://${trustDomain}/ns/${namespace}/sa/default`;

const podWorkload = join(import.meta.dirname, "support/pod-workload-main.ts");

interface CsiNode extends KubeObject {
  readonly spec?: { readonly drivers?: readonly { readonly name: string }[] | null };
}

if (requires(...clusterNeeds)) {
  suite("the socket in pods", () => {
    let cluster: Cluster;

    before(async () => {
      cluster = await startWithImages({ nodes: 1 });
      await cluster.client.create("/api/v1/namespaces", {
        metadata: { name: namespace, labels: { "assay.dev/identities": "enabled" } },
      });
      await installChart(cluster);
    });
    after(async () => {
      await cluster[Symbol.asyncDispose]();
    });

    const onNode = (script: string): Promise<string> =>
      cluster.node("node1").host.run(["sh", "-c", script]);
    /** Ends the process of a part at once. */
    const kill = (command: string): Promise<string> =>
      onNode(
        `ps -e -o pid=,args= | awk '/ ${command} --config/ && !/awk/ { print $1 }' | xargs kill -9`,
      );
    const mounts = async (): Promise<number> =>
      Number(await onNode("grep -c 'kubernetes.io~csi.*/mount ' /proc/1/mountinfo || true"));

    test("the kubelet knows the driver", async () => {
      const { spec } = await cluster.client.get<CsiNode>("/apis/storage.k8s.io/v1/csinodes/node1");
      assert.deepEqual(
        spec?.drivers?.map(({ name }) => name),
        ["csi.spiffe.io"],
      );
    });

    test("a pod gets it read-only, and leaves no mount behind", async () => {
      const before = await mounts();
      const workload = await Workload.create(cluster, { name: "one", namespace });
      await workload.untilIdentity(id);
      const [, , , , , options = ""] = (
        await onNode("grep 'kubernetes.io~csi.*/mount ' /proc/1/mountinfo")
      ).split(" ");
      for (const option of ["ro", "nosuid", "nodev", "noexec"]) {
        assert.ok(options.split(",").includes(option), `${option} in ${options}`);
      }
      const inPod = await onNode("grep -h ' /spiffe ' /proc/[0-9]*/mountinfo | cut -d ' ' -f 6");
      assert.match(inPod, /^ro\b/);
      await cluster.client.delete(workload.path, { gracePeriodSeconds: 0 });
      await eventually("the mount to go", async () => (await mounts()) === before || undefined);
    });

    test("a workload has its stream back when the agent was killed", async () => {
      const workload = await Workload.create(cluster, { name: "two", namespace });
      await workload.untilIdentity(id);
      const since = Date.now();
      await kill("agent run");
      const { at } = await workload.untilIdentity(id, { since });
      const lines = await workload.lines();
      assert.ok(at - since < 20_000, `${at - since} ms`);
      // The broken stream, and nobody who refused.
      const refusals = lines.filter((line) => line.at >= since && line.event === "refused");
      assert.ok(refusals.length <= 1, JSON.stringify(refusals));
    });

    test("nobody notices that the driver was killed", async () => {
      const workload = await Workload.create(cluster, { name: "three", namespace });
      await workload.untilIdentity(id);
      const since = Date.now();
      await kill("csi run");
      const later = await Workload.create(cluster, { name: "four", namespace });
      await later.untilIdentity(id, { timeoutMs: 60_000 });
      const noticed = (await workload.lines()).filter(({ at }) => at >= since);
      assert.deepEqual(noticed, []);
      // The agent that gave its socket back is the one that serves it.
      await kill("agent run");
      const again = Date.now();
      await workload.untilIdentity(id, { since: again, timeoutMs: 60_000 });
    });

    test("a pod waits for the node's first agent, and then starts", async () => {
      const { client } = cluster;
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
      const workload = await Workload.create(cluster, { name: "five", namespace });
      const metrics = async (): Promise<string> => {
        const [pod] = await podsOf("csi");
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
      await installChart(cluster, { agent: { podToken: "fallback" } });
      const owner = await Workload.create(cluster, { name: "six", namespace });
      const other = await Workload.create(cluster, { name: "seven", namespace });
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

      const tokens = "/run/assay/pod-tokens";
      await onNode(`cat ${tokens}/${uid}/* >/tmp/own`);
      const elsewhere = await tokenOfPodElsewhere(cluster);
      for (const theft of [
        `cat ${tokens}/${otherUid}/* >/tmp/stolen`,
        `echo '${JSON.stringify({ "assay-agent": { token: elsewhere } })}' >/tmp/stolen`,
      ]) {
        await kill("agent run");
        await onNode(`${theft}; for f in ${tokens}/${uid}/*; do cp /tmp/stolen $f; done`);
        assert.equal(await call(), "refused with 7");
      }
      await kill("agent run");
      await onNode(`for f in ${tokens}/${uid}/*; do cp /tmp/own $f; done`);
      assert.equal(await call(), id);
    });
  });
}

/** A token as the driver has them, but of a pod that is bound to another node. */
async function tokenOfPodElsewhere({ client }: Cluster): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}`;
  const { metadata } = await client.create<Pod>(`${path}/pods`, {
    metadata: { name: "elsewhere" },
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
