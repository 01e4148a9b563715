// Node attestation against a real API server: real tokens, real TokenReviews, and a server with the least permissions.

import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { Agent } from "../../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Status } from "../../../runtime/errors/status-error.ts";
import { eventually } from "../../support/eventually.ts";
import { CALL, csrOf, newKey, RunningServer } from "../../support/running-server.ts";
import type { KubeObject } from "../cluster/kube-client.ts";
import { tokenFor } from "../support/api-relay.ts";
import type { PlaneStory } from "./story.ts";

const SYSTEM = "/api/v1/namespaces/assay-system";
const CLUSTER = "east";

export function nodeAttestationStories(story: PlaneStory): void {
  suite("node attestation on a real API server", () => {
    const opened = new AsyncDisposableStack();
    let server: RunningServer;

    before(async () => {
      const path = story.kubeconfigPath;
      const rules = { serviceAccounts: ["assay-system:assay-agent"], nodeLabels: ["zone"] };
      server = opened.use(
        await RunningServer.open({
          nodeAttestors: { k8s_psat: { clusters: { [CLUSTER]: { kubeconfig: path, ...rules } } } },
        }),
      );
    });
    after(() => opened.disposeAsync());

    const attest = (token: string) => {
      const payload = Buffer.from(JSON.stringify({ cluster: CLUSTER, token }));
      return server.attest("k8s_psat", payload, csrOf(newKey()));
    };
    const createNode = (name: string) =>
      story.plane.client.create("/api/v1/nodes", { metadata: { name, labels: { zone: "a" } } });
    const createPod = (name: string, serviceAccountName = "assay-agent", nodeName = "node-1") =>
      story.plane.client.create<KubeObject>(`${SYSTEM}/pods`, {
        metadata: { name },
        spec: {
          nodeName,
          serviceAccountName,
          containers: [{ name: "main", image: "none", imagePullPolicy: "Never" }],
        },
      });
    const tokenOf = (pod: KubeObject, account = "assay-agent", audience = "assay-server") =>
      tokenFor(story.plane, account, {
        audiences: [audience],
        boundObjectRef: { kind: "Pod", apiVersion: "v1", ...nameOf(pod) },
      });

    test("attests an agent by its pod's token, for our audience and that of stock agents", async () => {
      const pod = await createPod("agent-1");
      const node = await story.plane.client.get("/api/v1/nodes/node-1");
      const { id } = await attest(await tokenOf(pod));
      assert.equal(
        id,
        `spiffe://example.test/spire/agent/k8s_psat/${CLUSTER}/${node.metadata.uid}`,
      );
      assert.equal((await attest(await tokenOf(pod, "assay-agent", "spire-server"))).id, id);
      using admin = server.admin();
      const { agents } = await admin.client(Agent).listAgents({}, CALL);
      const selectors = agents[0]?.selectors.map(({ value }) => value) ?? [];
      for (const selector of ["agent_node_label:zone:a", "agent_pod_name:agent-1"]) {
        assert.ok(selectors.includes(selector), selector);
      }
      assert.deepEqual(server.log.messages("warn"), []);
    });

    test("refuses what is not the token of an agent's pod", async () => {
      const agent = await createPod("agent-2");
      const other = await createPod("other", "default");
      const cases = [
        { token: await tokenOf(other, "default"), reason: "service_account_refused" },
        { token: await tokenOf(agent, "assay-agent", "vault"), reason: "token_refused" },
        {
          token: await tokenFor(story.plane, "assay-agent", { audiences: ["assay-server"] }),
          reason: "token_not_bound",
        },
        { token: (await tokenOf(agent)).replace(/.{8}$/, "AAAAAAAA"), reason: "token_refused" },
      ];
      for (const { token, reason } of cases) await assert.rejects(attest(token), { reason });
    });

    test("refuses the token of a pod on its way out, which the API server accepts, and of one that is gone", async () => {
      const pod = await createPod("agent-3");
      const token = await tokenOf(pod);
      await attest(token);
      await story.plane.client.delete(`${SYSTEM}/pods/agent-3`);
      await eventually("the refusal", () =>
        attest(token).then(
          () => undefined,
          ({ reason }) => reason === "pod_terminating" || undefined,
        ),
      );
      await story.plane.client.delete(`${SYSTEM}/pods/agent-3`, { gracePeriodSeconds: 0 });
      // The API server may accept it for a moment more.
      await assert.rejects(attest(token), ({ reason }: { reason: string }) =>
        ["token_refused", "pod_gone"].includes(reason),
      );
    });

    test("asks agents to come back while the API server hangs, and goes on by itself", async () => {
      const token = await tokenOf(await createPod("agent-4"));
      const apiserver = story.plane.component("apiserver");
      await apiserver.pause();
      const refused = { code: Status.UNAVAILABLE, reason: "cluster_unavailable" };
      await assert.rejects(attest(token), refused);
      await apiserver.resume();
      await eventually("the attestation", () => attest(token));
      await apiserver.kill();
      await assert.rejects(attest(token), refused);
      await apiserver.start();
      await story.plane.untilReady();
      await eventually("the attestation", () => attest(token), { timeoutMs: 60_000 });
    });

    test("evicts the agent of a deleted node, and refuses its token when the node is made anew", async () => {
      await createNode("node-2");
      const pod = await createPod("agent-5", "assay-agent", "node-2");
      const token = await tokenOf(pod);
      const { id } = await attest(token);
      const [entry] = await server.createEntries(id, "/on-node-2");
      await story.plane.client.delete("/api/v1/nodes/node-2");
      using admin = server.admin();
      await eventually("the eviction", async () => {
        const { agents } = await admin.client(Agent).listAgents({}, CALL);
        return agents.every(({ id: found }) => !id.endsWith(found?.path ?? "")) || undefined;
      });
      assert.notEqual(entry, undefined);
      await createNode("node-2");
      // The API server itself may refuse the token first, because the pod is collected with its node.
      await assert.rejects(attest(token), ({ reason }: { reason: string }) =>
        ["node_mismatch", "token_refused", "pod_terminating", "pod_gone"].includes(reason),
      );
    });
  });
}

function nameOf({ metadata }: KubeObject) {
  return { name: metadata.name, uid: metadata.uid };
}
