// Entries from custom resources on a real API server: its schemas, rules and watches, and a server with the rights of the chart.

import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { Admin, type EntryWithMetadata } from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { CALL, RunningServer } from "../../support/running-server.ts";
import type { ControlPlane } from "../cluster/control-plane.ts";
import type { KubeObject } from "../cluster/kube-client.ts";
import type { PlaneStory } from "./story.ts";

const SHOP = "/api/v1/namespaces/shop";
const SPIFFE_IDS = "/apis/spire.spiffe.io/v1alpha1/clusterspiffeids";
const STATIC_ENTRIES = "/apis/spire.spiffe.io/v1alpha1/clusterstaticentries";
const IDENTITIES = "/apis/assay.dev/v1alpha1/namespaces/shop/workloadidentities";

/** What a pod template gives without more. */
const BY_NAME = "spiffe://{{ .TrustDomain }}/{{ .PodMeta.Namespace }}/{{ .PodMeta.Name }}";

const refused = [
  {
    name: "a template that begins with no scheme",
    object: clusterSpiffeId("bad", { spiffeIDTemplate: "http://example.test/x" }),
    says: /expected spiffe:\/\/ at the beginning/,
  },
  {
    name: "an empty template",
    object: clusterSpiffeId("bad", { spiffeIDTemplate: "" }),
    says: /spec\.spiffeIDTemplate: Invalid value: .*at least 1 chars long/,
  },
  {
    name: "no template",
    object: clusterSpiffeId("bad", {}),
    says: /spec\.spiffeIDTemplate: Required value/,
  },
  {
    name: "a life that is no duration",
    object: clusterSpiffeId("bad", { spiffeIDTemplate: BY_NAME, ttl: "1 hour" }),
    says: /spec\.ttl: Invalid value: "1 hour"/,
  },
  {
    name: "values for an operator without any",
    object: clusterSpiffeId("bad", {
      spiffeIDTemplate: BY_NAME,
      podSelector: { matchExpressions: [{ key: "app", operator: "Exists", values: ["web"] }] },
    }),
    says: /In and NotIn take values, Exists and DoesNotExist take none/,
  },
  {
    name: "a static entry for an ID of the server's own",
    object: staticEntry("bad", { spiffeID: "spiffe://example.test/spire/server" }),
    says: /IDs below \/spire belong to server and agents/,
  },
  {
    name: "a static entry without selectors",
    object: staticEntry("bad", { selectors: [] }),
    says: /spec\.selectors: Invalid value: .*at least 1 items/,
  },
  {
    name: "a tenant's path that climbs",
    object: workloadIdentity("bad", { pathTemplate: "a/../../other" }),
    says: /expected no \. or \.\. between slashes/,
  },
  {
    name: "a tenant's ID of elsewhere",
    object: workloadIdentity("bad", { pathTemplate: "spiffe://example.test/root" }),
    says: /expected what follows \/ns\/NAMESPACE\//,
  },
];

export function registrarStories(story: PlaneStory): void {
  suite("the registrar on a real API server", () => {
    const opened = new AsyncDisposableStack();
    let server: RunningServer;

    before(async () => {
      await createNamespace(story.plane);
      const kubeconfig = story.kubeconfigPath;
      const east = { kubeconfig, serviceAccounts: ["assay-system:assay-agent"] };
      server = opened.use(
        await RunningServer.open({
          nodeAttestors: { k8s_psat: { clusters: { east } } },
          registrar: { clusters: { east: {} } },
        }),
      );
    });
    after(() => opened.disposeAsync());

    const createPod = (name: string, spec: object = { nodeName: "node-1" }) =>
      story.plane.client.create(`${SHOP}/pods`, {
        metadata: { name, labels: { app: "web" } },
        spec: { ...spec, containers: [{ name: "main", image: "none", imagePullPolicy: "Never" }] },
      });
    const removePod = (name: string) =>
      story.plane.client.delete(`${SHOP}/pods/${name}`, { gracePeriodSeconds: 0 });

    async function entries(): Promise<readonly EntryWithMetadata[]> {
      using admin = server.admin();
      return (await admin.client(Admin).listEntries({ pageSize: 1000 }, CALL)).entries;
    }

    /** Waits until there are entries with exactly these paths. */
    async function until(...paths: readonly string[]): Promise<readonly EntryWithMetadata[]> {
      const wanted = [...paths].sort();
      let found: readonly string[] = [];
      return eventually("the entries", async () => {
        const all = await entries();
        found = all.map(({ entry }) => entry?.spiffeId?.path ?? "").sort();
        return found.join() === wanted.join() ? all : undefined;
      }).catch((error: unknown) => {
        assert.deepEqual(found, wanted);
        throw error;
      });
    }

    /** Waits until the condition Ready of an object has a reason. */
    async function statusOf(path: string, reason: string): Promise<ResourceStatus> {
      let last: ResourceStatus | undefined;
      return eventually(`${reason} of ${path}`, async () => {
        last = (await story.plane.client.get<Resource>(path)).status;
        return last?.conditions.some((each) => each.type === "Ready" && each.reason === reason)
          ? last
          : undefined;
      }).catch(() => assert.fail(`${path}: ${JSON.stringify(last)}`));
    }

    /** Waits until the ClusterSPIFFEID "web" counts this. */
    async function untilStats(wanted: Readonly<Record<string, number>>): Promise<void> {
      await eventually(JSON.stringify(wanted), async () => {
        const path = `${SPIFFE_IDS}/web`;
        const stats = (await story.plane.client.get<Resource>(path)).status?.stats;
        return (
          Object.entries(wanted).every(([name, count]) => stats?.[name] === count) || undefined
        );
      });
    }

    for (const { name, object, says } of refused) {
      test(`the API server refuses ${name}`, async () => {
        await assert.rejects(story.plane.client.create(pathOf(object), object), { message: says });
      });
    }

    test("a namespace label that flaps, and a name at its length limit, end in the entry that is right", async () => {
      const name = [63, 63, 63, 61].map((length) => "p".repeat(length)).join(".");
      const namespaceSelector = { matchLabels: { flapping: "yes" } };
      await story.plane.client.create(
        SPIFFE_IDS,
        clusterSpiffeId("limits", { spiffeIDTemplate: BY_NAME, namespaceSelector }),
      );
      await createPod(name);
      const flap = (value: string | null): Promise<unknown> =>
        story.plane.client.patch(SHOP, { metadata: { labels: { flapping: value } } });
      for (let count = 0; count < 50; count += 1) {
        await flap("yes");
        await flap(null);
      }
      await flap("yes");
      await until(`/shop/${name}`);
      await flap(null);
      await until();
      assert.deepEqual(server.log.messages("warn"), []);
      await story.plane.client.delete(`${SPIFFE_IDS}/limits`);
      await removePod(name);
    });

    test("a pod has an entry once it is bound, and none once it has succeeded", async () => {
      await story.plane.client.create(
        SPIFFE_IDS,
        clusterSpiffeId("web", { spiffeIDTemplate: BY_NAME }),
      );
      await createPod("job", { schedulerName: "nobody" });
      await untilStats({ podsSelected: 1, podsWaiting: 1, entriesToSet: 0 });
      assert.deepEqual(await entries(), []);
      await story.plane.client.create(`${SHOP}/pods/job/binding`, {
        metadata: { name: "job" },
        target: { kind: "Node", name: "node-1" },
      });
      const [{ entry, metadata } = {}] = await until("/shop/job");
      const pod = await story.plane.client.get(`${SHOP}/pods/job`);
      const node = await story.plane.client.get("/api/v1/nodes/node-1");
      assert.equal(entry?.parentId?.path, `/spire/agent/k8s_psat/east/${node.metadata.uid}`);
      assert.deepEqual(
        entry?.selectors.map(({ type, value }) => `${type}:${value}`),
        [`k8s:pod-uid:${pod.metadata.uid}`],
      );
      assert.equal(metadata?.origin?.name, "web");
      await story.plane.client.patch(`${SHOP}/pods/job/status`, { status: { phase: "Succeeded" } });
      await until();
      await removePod("job");
    });

    test("entries follow labels, and a change of the template in place", async () => {
      await createPod("a");
      await createPod("b");
      await until("/shop/a", "/shop/b");
      const podSelector = { matchLabels: { app: "web" } };
      await story.plane.client.patch(`${SPIFFE_IDS}/web`, { spec: { podSelector } });
      await story.plane.client.patch(`${SHOP}/pods/b`, { metadata: { labels: { app: "api" } } });
      const [before] = await until("/shop/a");
      const spiffeIDTemplate = BY_NAME.replace(/^.*}}\//, "spiffe://example.test/new/");
      await story.plane.client.patch(`${SPIFFE_IDS}/web`, { spec: { spiffeIDTemplate } });
      const [changed] = await until("/new/a");
      assert.equal(changed?.entry?.id, before?.entry?.id);
      const namespaceSelector = { matchLabels: { env: "prod" } };
      await story.plane.client.patch(`${SPIFFE_IDS}/web`, { spec: { namespaceSelector } });
      await until();
      await story.plane.client.patch(SHOP, { metadata: { labels: { env: "prod" } } });
      await until("/new/a");
      await story.plane.client.patch(`${SHOP}/pods/b`, { metadata: { labels: { app: "web" } } });
      await until("/new/a", "/new/b");
    });

    test("each resource says what came of it", async () => {
      await untilStats({ podsSelected: 2, podsWaiting: 0, entriesToSet: 2 });
      await eventually("the status of the last generation", async () => {
        const { metadata, status } = await story.plane.client.get<Resource>(`${SPIFFE_IDS}/web`);
        return status?.observedGeneration === metadata.generation || undefined;
      });
      const objects = [
        clusterSpiffeId("malformed", { spiffeIDTemplate: "spiffe://x/{{ .Nope }}" }),
        clusterSpiffeId("foreign", { spiffeIDTemplate: "spiffe://bank.test/x" }),
        staticEntry("vm"),
        workloadIdentity("tenant", { pathTemplate: "own/{{ .PodMeta.Name }}" }),
      ];
      for (const object of objects) await story.plane.client.create(pathOf(object), object);
      await until("/new/a", "/new/b", "/ns/shop/own/a", "/ns/shop/own/b", "/vm");
      const malformed = await statusOf(`${SPIFFE_IDS}/malformed`, "Invalid");
      assert.match(JSON.stringify(malformed.conditions), /there is no field \\"Nope\\"/);
      const foreign = await statusOf(`${SPIFFE_IDS}/foreign`, "RenderFailed");
      assert.equal(foreign.errors?.[0]?.pod, "shop/a");
      await statusOf(`${STATIC_ENTRIES}/vm`, "Applied");
      await statusOf(`${IDENTITIES}/tenant`, "Applied");
      for (const object of objects) {
        await story.plane.client.delete(`${pathOf(object)}/${object.metadata.name}`);
      }
      await until("/new/a", "/new/b");
    });

    test("entries of others stay as they are, and in the way they are named", async () => {
      const node = await story.plane.client.get("/api/v1/nodes/node-1");
      await createPod("c", { schedulerName: "nobody" });
      const pod = await story.plane.client.get(`${SHOP}/pods/c`);
      using admin = server.admin();
      const made = await admin.client(Admin).batchCreateEntry(
        {
          entries: [
            {
              entry: {
                spiffeId: { trustDomain: "example.test", path: "/new/c" },
                parentId: {
                  trustDomain: "example.test",
                  path: `/spire/agent/k8s_psat/east/${node.metadata.uid}`,
                },
                selectors: [{ type: "k8s", value: `pod-uid:${pod.metadata.uid}` }],
              },
            },
          ],
        },
        CALL,
      );
      const id = made.results[0]?.entry?.entry?.id;
      await story.plane.client.create(`${SHOP}/pods/c/binding`, {
        metadata: { name: "c" },
        target: { kind: "Node", name: "node-1" },
      });
      const { errors } = await statusOf(`${SPIFFE_IDS}/web`, "EntriesRefused");
      const message = `entry ${id}, which is not the registrar's, grants the same`;
      assert.deepEqual(errors, [{ pod: "shop/c", message }]);
      await removePod("c");
      await story.plane.client.delete(`${SPIFFE_IDS}/web`);
      const [left] = await until("/new/c");
      assert.deepEqual([left?.entry?.id, left?.entry?.revisionNumber], [id, 0n]);
      assert.deepEqual(server.log.messages("error"), []);
    });
  });
}

interface ResourceStatus {
  readonly observedGeneration?: number;
  readonly conditions: readonly { type: string; reason: string; message: string }[];
  readonly stats?: Readonly<Record<string, number>>;
  readonly errors?: readonly { pod: string; message: string }[];
}

interface Resource extends KubeObject {
  readonly kind: string;
  readonly metadata: KubeObject["metadata"] & { readonly generation?: number };
  readonly status?: ResourceStatus;
}

function clusterSpiffeId(name: string, spec: object): Resource {
  const apiVersion = "spire.spiffe.io/v1alpha1";
  return { apiVersion, kind: "ClusterSPIFFEID", metadata: { name }, spec } as Resource;
}

function staticEntry(name: string, changes: object = {}): Resource {
  const spec = {
    spiffeID: "spiffe://example.test/vm",
    parentID: "spiffe://example.test/spire/agent/k8s_psat/east/some-node",
    selectors: ["unix:uid:1"],
    ...changes,
  };
  const apiVersion = "spire.spiffe.io/v1alpha1";
  return { apiVersion, kind: "ClusterStaticEntry", metadata: { name }, spec } as Resource;
}

function workloadIdentity(name: string, spec: object): Resource {
  const apiVersion = "assay.dev/v1alpha1";
  return { apiVersion, kind: "WorkloadIdentity", metadata: { name }, spec } as Resource;
}

function pathOf({ kind }: Resource): string {
  if (kind === "ClusterSPIFFEID") return SPIFFE_IDS;
  return kind === "ClusterStaticEntry" ? STATIC_ENTRIES : IDENTITIES;
}

/** A namespace for pods, when the resources can be written. */
async function createNamespace({ client }: ControlPlane): Promise<void> {
  await client.create("/api/v1/namespaces", { metadata: { name: "shop" } });
  for (const path of [SPIFFE_IDS, STATIC_ENTRIES, IDENTITIES, `${SHOP}/serviceaccounts/default`]) {
    await eventually(path, () => client.get(path));
  }
}
