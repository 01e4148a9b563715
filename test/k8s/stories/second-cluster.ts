// Two clusters with one server: what each can do to the other.

import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { Cluster } from "../cluster/cluster.ts";
import { Admin } from "../world/admin.ts";
import { agentPod, attestAs, podToken, psatEvidence } from "../world/node-evidence.ts";
import { Workload } from "../world/workload.ts";
import {
  createNamespace,
  defaultId,
  deleteNamespaces,
  installChart,
  kubeconfigOfServer,
  system,
} from "../world/world.ts";
import type { Story } from "./story.ts";

const namespace = "abroad";
const outside = `/api/v1/namespaces/${system}/services`;
const secrets = `/api/v1/namespaces/${system}/secrets`;

export function secondClusterStories(story: Story): void {
  suite("a second cluster", () => {
    let edge: Cluster | undefined;

    after(async () => {
      await edge?.[Symbol.asyncDispose]();
      const { cluster } = story;
      await deleteNamespaces(cluster, namespace);
      await installChart(cluster);
      await cluster.client.delete(`${outside}/outside`);
      await cluster.client.delete(`${secrets}/edge`);
    });

    test("has agents of its own, which trust the server by what it publishes there", async () => {
      const { cluster } = story;
      edge = await Cluster.start({ nodes: 1, peer: cluster, images: cluster.images });
      await cluster.client.create(outside, {
        metadata: { name: "outside" },
        spec: {
          type: "NodePort",
          selector: { "app.kubernetes.io/name": "assay-server" },
          ports: [{ port: 8081, nodePort: 30081 }],
        },
      });
      const address = `${cluster.node("node1").address}:30081`;
      const agent = { servers: [address] };
      const values = { clusterName: "edge", server: { enabled: false }, agent };
      // Its agents wait for what the server publishes once it knows the cluster.
      await installChart(edge, values, { wait: false });
      const stringData = { kubeconfig: await kubeconfigOfServer(edge) };
      await cluster.client.create(secrets, { metadata: { name: "edge" }, stringData });
      const serviceAccounts = [`${system}:assay-agent`];
      const clusters = { edge: { kubeconfigSecret: "edge", serviceAccounts } };
      await installChart(cluster, { server: { clusters } });
      await eventually(
        "the agent of the second cluster",
        async () => {
          const ready = (await agentPod(edge ?? cluster, "node1")).status?.containerStatuses?.[0];
          return ready?.ready === true ? true : undefined;
        },
        { timeoutMs: 90_000, intervalMs: 200 },
      );
    });

    test("has pods with identities, and no entry of either is under an agent of the other", async () => {
      const { cluster } = story;
      if (edge === undefined) throw new Error("there is no second cluster");
      using admin = await Admin.open(cluster);
      for (const [where, name] of [
        [cluster, "main"],
        [edge, "edge"],
      ] as const) {
        await createNamespace(where, namespace);
        const workload = await Workload.create(where, { name, namespace, node: "node1" });
        await workload.untilIdentity(defaultId(namespace), { timeoutMs: 60_000 });
        const entries = await admin.entriesOf((await workload.pod()).metadata.uid ?? "");
        assert.equal(entries.length, 1);
        assert.match(
          entries[0]?.parentId?.path ?? "",
          new RegExp(`^/spire/agent/k8s_psat/${name}/`),
        );
      }
    });

    test("has agents whose tokens are worth nothing under the name of the first", async () => {
      const { cluster } = story;
      if (edge === undefined) throw new Error("there is no second cluster");
      using admin = await Admin.open(cluster);
      const pod = (await agentPod(edge, "node1")).metadata.name;
      const of = { namespace: system, serviceAccount: "assay-agent", pod };
      const token = await podToken(edge, of);
      const attesting = attestAs(cluster, admin, psatEvidence(token, "main"));
      await assert.rejects(attesting, { code: 7, reason: "token_refused" });
    });
  });
}
