// What one node, one account or one cluster can do to the others.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, suite, test } from "node:test";
import { Entry } from "../../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { SVID } from "../../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { SpiffeId } from "../../../spiffe/id/spiffe-id.ts";
import { createCsr } from "../../../spiffe/x509/create-csr.ts";
import type { BareAgent } from "../../support/bare-agent.ts";
import { eventually } from "../../support/eventually.ts";
import { Admin } from "../world/admin.ts";
import {
  agentPod,
  attestAs,
  attestRefusal,
  podToken,
  psatEvidence,
} from "../world/node-evidence.ts";
import { Workload } from "../world/workload.ts";
import { createNamespace, defaultId, deleteNamespaces, system } from "../world/world.ts";
import type { Story } from "./story.ts";

const namespace = "isolation";

export function isolationStories(story: Story): void {
  suite("isolation", () => {
    after(() => deleteNamespaces(story.cluster, namespace));

    const workloads = new Map<string, Workload>();
    const call = () => ({ signal: AbortSignal.timeout(60_000), timeoutMs: 60_000 });

    test("workloads run on both nodes", async () => {
      const { cluster } = story;
      await createNamespace(cluster, namespace);
      for (const node of ["node1", "node2"]) {
        const workload = await Workload.create(cluster, { name: node, namespace, node });
        workloads.set(node, workload);
        await workload.untilIdentity(defaultId(namespace));
      }
    });

    test("a pod of another service account is no agent, whatever token it asks for", async () => {
      const { cluster } = story;
      using admin = await Admin.open(cluster);
      const token = await podToken(cluster, {
        namespace,
        serviceAccount: "default",
        pod: "node1",
      });
      const refused = await attestRefusal(cluster, admin, psatEvidence(token));
      assert.deepEqual(refused, { code: 7, reason: "service_account_refused" });
    });

    test("a token of an agent for somebody else is refused", async () => {
      const { cluster } = story;
      using admin = await Admin.open(cluster);
      const token = await podToken(cluster, { ...(await agentOf("node2")), audience: "vault" });
      const refused = await attestRefusal(cluster, admin, psatEvidence(token));
      assert.deepEqual(refused, { code: 7, reason: "token_refused" });
    });

    test("an agent sees the entries of its node alone, and gets SVIDs for these alone", async () => {
      const { cluster } = story;
      using admin = await Admin.open(cluster);
      const uids = new Map<string, string>();
      for (const [node, workload] of workloads) {
        uids.set(node, (await workload.pod()).metadata.uid ?? "");
      }
      const [own] = await admin.entriesOf(uids.get("node2") ?? "");
      const [foreign] = await admin.entriesOf(uids.get("node1") ?? "");
      const token = await podToken(cluster, await agentOf("node2"));
      // The agent whose name we take comes back, and then the server drops us.
      const seen = await eventually(
        "the answers to an agent",
        async () => {
          using agent = await attestAs(cluster, admin, psatEvidence(token));
          const { entries } = await agent.client(Entry).getAuthorizedEntries({}, call());
          return {
            selectors: entries.flatMap(({ selectors }) => selectors.map(({ value }) => value)),
            own: await statusOf(agent, own?.id ?? ""),
            foreign: await statusOf(agent, foreign?.id ?? ""),
          };
        },
        { timeoutMs: 60_000 },
      );
      assert.ok(seen.selectors.includes(`pod-uid:${uids.get("node2")}`));
      assert.ok(!seen.selectors.includes(`pod-uid:${uids.get("node1")}`));
      assert.equal(seen.own, 0);
      assert.notEqual(seen.foreign, 0);
    });

    test("the agent whose name was taken for a while comes back by itself", async () => {
      const { cluster } = story;
      const at = { name: "after-theft", namespace, node: "node2" };
      const workload = await Workload.create(cluster, at);
      await workload.untilIdentity(defaultId(namespace), { timeoutMs: 30_000 });
      await workload.delete();
    });

    test("a node that is drained: its pods' entries go with them, its agent stays, and it can be used again", async () => {
      const { cluster } = story;
      using admin = await Admin.open(cluster);
      const uid = (await workloads.get("node2")?.pod())?.metadata.uid ?? "";
      const agent = await agentPod(cluster, "node2");
      const flags = ["--ignore-daemonsets", "--force", "--grace-period=1", "--timeout=60s"];
      // The server's volume is on the other node.
      await cluster.kubectl(["drain", "node2", ...flags]);
      await eventually("the end of its entries", async () =>
        (await admin.entriesOf(uid)).length === 0 ? true : undefined,
      );
      assert.equal((await agentPod(cluster, "node2")).metadata.uid, agent.metadata.uid);
      await cluster.kubectl(["uncordon", "node2"]);
      const at = { name: "after-drain", namespace, node: "node2" };
      const workload = await Workload.create(cluster, at);
      workloads.set("node2", workload);
      await workload.untilIdentity(defaultId(namespace));
    });

    test("a node that is built anew under its name is another one: the old agent is refused", async () => {
      const { cluster } = story;
      using admin = await Admin.open(cluster);
      const token = await podToken(cluster, await agentOf("node2"));
      using old = await attestAs(cluster, admin, psatEvidence(token));
      const gone = workloads.get("node2");
      const uid = (await gone?.pod())?.metadata.uid ?? "";
      await cluster.removeNode(cluster.node("node2"));
      await cluster.client.delete("/api/v1/nodes/node2");
      await eventually("the end of the old agent", async () => {
        const asked = old.client(Entry).getAuthorizedEntries({}, call());
        await assert.rejects(asked, ({ code }: { code?: number }) => code === 7 || code === 16);
        return true;
      });
      await eventually("the end of its entries", async () =>
        (await admin.entriesOf(uid)).length === 0 ? true : undefined,
      );
      await cluster.addNode(2);
      const at = { name: "on-new-node", namespace, node: "node2" };
      const workload = await Workload.create(cluster, at);
      await workload.untilIdentity(defaultId(namespace), { timeoutMs: 60_000 });
      await gone?.delete();
      await workload.delete();
    });

    /** The pod of the agent on a node, as `podToken` wants it. */
    async function agentOf(node: string) {
      const pod = (await agentPod(story.cluster, node)).metadata.name;
      return { namespace: system, serviceAccount: "assay-agent", pod };
    }

    async function statusOf(agent: BareAgent, entryId: string): Promise<number | undefined> {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const csr = createCsr({ privateKey, spiffeId: SpiffeId.parse(defaultId(namespace)) });
      const params = [{ entryId, csr }];
      const { results } = await agent.client(SVID).batchNewX509SVID({ params }, call());
      return results[0]?.status?.code;
    }
  });
}
