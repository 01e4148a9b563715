// Two clusters with one server: what each can do to the other. The second one's registrar is a process of its own, and there are two.

import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { KubeObject } from "../cluster/kube-client.ts";
import type { Pod } from "../cluster/pods.ts";
import { Admin } from "../world/admin.ts";
import { assay, entriesOfPod } from "../world/assay-command.ts";
import { edgeAgent, edgeId, edgeRegistrar, forgetEdge, startEdge } from "../world/edge.ts";
import { installRegistrars, untilLeads } from "../world/edge-registrars.ts";
import { agentPod, attestRefusal, podToken, psatEvidence } from "../world/node-evidence.ts";
import { spiffeIdResources } from "../world/roles.ts";
import { signalContainer } from "../world/runtime.ts";
import { Workload } from "../world/workload.ts";
import {
  createNamespace,
  defaultId,
  deleteNamespaces,
  system,
  trustDomain,
} from "../world/world.ts";
import type { Story } from "./story.ts";

const namespace = "abroad";
const staticEntries = "/apis/spire.spiffe.io/v1alpha1/clusterstaticentries";
const registrars = `/api/v1/namespaces/${system}/pods?labelSelector=app.kubernetes.io%2Fname%3Dassay-registrar`;

interface Resource extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly { readonly reason: string }[];
    readonly errors?: readonly { readonly message: string }[];
  };
}

export function secondClusterStories(story: Story): void {
  suite("a second cluster", { concurrency: 1 }, () => {
    let started: Cluster | undefined;
    const edge = (): Cluster => {
      if (started === undefined) throw new Error("there is no second cluster");
      return started;
    };

    after(async () => {
      await started?.[Symbol.asyncDispose]();
      await forgetEdge(story.cluster);
      await deleteNamespaces(story.cluster, namespace);
    });

    test("is added while the server runs; its agents trust the server by what is published there", async () => {
      const { cluster } = story;
      started = await startEdge(cluster);
      const parent = await edgeAgent(cluster, edge());
      const selectors = ["--selector", `k8s:ns:${system}`, "--selector", "k8s:sa:assay-registrar"];
      const entry = ["--parent-id", parent, "--spiffe-id", edgeRegistrar, ...selectors];
      await assay(cluster, ["entry", "create", ...entry]);
      await installRegistrars(cluster, edge());
    });

    test("has pods with identities, and no entry of either is under an agent of the other", async () => {
      const { cluster } = story;
      for (const [where, name, id] of [
        [cluster, "main", defaultId(namespace)],
        [edge(), "edge", edgeId(namespace)],
      ] as const) {
        await createNamespace(where, namespace);
        const workload = await Workload.create(where, { name, namespace, node: "node1" });
        await workload.untilIdentity(id, { timeoutMs: 120_000 });
        const uid = (await workload.pod()).metadata.uid ?? "";
        const [entry, ...more] = await entriesOfPod(cluster, uid);
        assert.deepEqual(more, []);
        assert.match(String(entry?.["parent_id"]), new RegExp(`/spire/agent/k8s_psat/${name}/`));
      }
    });

    test("has agents whose tokens are worth nothing under the name of the first", async () => {
      const { cluster } = story;
      using admin = await Admin.open(cluster);
      const pod = (await agentPod(edge(), "node1")).metadata.name;
      const of = { namespace: system, serviceAccount: "assay-agent", pod };
      const token = await podToken(edge(), of);
      const refused = await attestRefusal(cluster, admin, psatEvidence(token, "main"));
      assert.deepEqual(refused, { code: 7, reason: "token_refused" });
    });

    test("has a registrar that the server refuses entries under agents of the first", async () => {
      const { cluster } = story;
      const agents = (await assay(cluster, ["agent", "list"])).map(({ id }) => String(id));
      const parentID = agents.find((id) => id.includes("/k8s_psat/main/"));
      const spiffeID = `spiffe://${trustDomain}/edge/thief`;
      await create(staticEntries, "ClusterStaticEntry", "thief", {
        ...{ spiffeID, parentID },
        selectors: ["unix:uid:0"],
      });
      assert.match(await refusalOf(`${staticEntries}/thief`), /parent/);
      const found = await assay(cluster, ["entry", "list", "--spiffe-id", spiffeID]);
      assert.deepEqual(found, []);
    });

    test("has a registrar that the server refuses the IDs of the first", async () => {
      const { cluster } = story;
      await create(spiffeIdResources, "ClusterSPIFFEID", "thief", {
        spiffeIDTemplate: defaultId(namespace),
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
      });
      assert.match(await refusalOf(`${spiffeIdResources}/thief`), /SPIFFE ID is outside/);
      const [entry, ...more] = await assay(cluster, [
        ...["entry", "list", "--spiffe-id", defaultId(namespace)],
      ]);
      assert.deepEqual(more, []);
      assert.match(String(entry?.["parent_id"]), /k8s_psat\/main\//);
      await edge().client.delete(`${spiffeIdResources}/thief`);
    });

    test("has a second registrar that takes over from one that hangs; nothing is lost, and nothing doubled", async () => {
      const { cluster } = story;
      const first = await untilLeads(edge());
      const node = edge().node("node1");
      const before = await edgePods();
      await signalContainer(node, first, "SIGSTOP");
      await start("meanwhile");
      const second = await untilLeads(edge(), (holder) => holder !== first);
      await new Workload(edge(), "meanwhile", namespace).untilIdentity(edgeId(namespace), {
        timeoutMs: 60_000,
      });
      // The first one finds out that it is not the one any more.
      await signalContainer(node, first, "SIGCONT");
      const log = `/api/v1/namespaces/${system}/pods/${first}/log`;
      await eventually(
        "the first registrar to step back",
        async () => /leads no more/.test(await edge().client.text(log)) || undefined,
        { timeoutMs: 30_000, intervalMs: 200 },
      );
      await start("after");
      await new Workload(edge(), "after", namespace).untilIdentity(edgeId(namespace));
      assert.equal(await untilLeads(edge()), second);
      const now = await edgePods();
      assert.equal(now.length, before.length + 2);
      for (const { metadata } of now) {
        const entries = await entriesOfPod(cluster, metadata.uid ?? "");
        assert.equal(entries.length, 1, metadata.name);
      }
    });

    test("has registrars of which one may be killed: the entries stay, and new pods have theirs", async () => {
      const { cluster } = story;
      const [pod] = await edgePods();
      const [entry] = await entriesOfPod(cluster, pod?.metadata.uid ?? "");
      const leader = await untilLeads(edge());
      await signalContainer(edge().node("node1"), leader, "SIGKILL");
      await start("after-kill");
      await new Workload(edge(), "after-kill", namespace).untilIdentity(edgeId(namespace), {
        timeoutMs: 60_000,
      });
      const [same, ...more] = await entriesOfPod(cluster, pod?.metadata.uid ?? "");
      assert.deepEqual([same?.["id"], more], [entry?.["id"], []]);
      assert.equal((await edge().client.list(registrars)).length, 2);
    });

    const start = (name: string): Promise<Workload> =>
      Workload.create(edge(), { name, namespace, node: "node1" });

    const edgePods = (): Promise<readonly Pod[]> =>
      edge().client.list<Pod>(`/api/v1/namespaces/${namespace}/pods`);

    async function create(path: string, kind: string, name: string, spec: object): Promise<void> {
      const apiVersion = "spire.spiffe.io/v1alpha1";
      await edge().client.create(path, { apiVersion, kind, metadata: { name }, spec });
    }

    /** What the resource says that the server refused. */
    async function refusalOf(path: string): Promise<string> {
      return eventually(
        `the refusal of ${path}`,
        async () => {
          const { status } = await edge().client.get<Resource>(path);
          const isRefused = status?.conditions?.some(({ reason }) => reason === "EntriesRefused");
          if (isRefused === true) return JSON.stringify(status);
          throw new Error(JSON.stringify(status));
        },
        { timeoutMs: 60_000, intervalMs: 200 },
      );
    }
  });
}
