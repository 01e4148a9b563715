// Entries from custom resources on a real API server: its schemas, rules and watches, and a server with the rights of the chart.

import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { Admin, type EntryWithMetadata } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";
import { CALL, RunningServer } from "../support/running-server.ts";
import { root } from "../support/sources.ts";
import { ensureBinaries } from "./build/binaries.ts";
import { Addresses } from "./cluster/addresses.ts";
import { ControlPlane } from "./cluster/control-plane.ts";
import type { KubeObject } from "./cluster/kube-client.ts";
import { clusterNeeds } from "./cluster/needs.ts";
import { WorkFolder } from "./cluster/work-folder.ts";
import { ApiRelay } from "./support/api-relay.ts";

const SYSTEM = "/api/v1/namespaces/assay-system";
const SHOP = "/api/v1/namespaces/shop";
const RBAC = "/apis/rbac.authorization.k8s.io/v1";
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

if (requires(...clusterNeeds)) {
  suite("the registrar on a real API server", () => {
    const opened = new AsyncDisposableStack();
    let plane: ControlPlane;
    let server: RunningServer;

    before(async () => {
      const say = (line: string) => void process.stderr.write(`cluster: ${line}\n`);
      const binaries = await ensureBinaries("cluster", say);
      const folder = opened.use(await WorkFolder.open());
      const now = systemClock.now();
      const addresses = new Addresses(1);
      plane = opened.use(await ControlPlane.start({ folder, binaries, addresses, now }));
      const relay = opened.use(await ApiRelay.open(folder.join("api.sock")));
      await createObjects(plane);
      const kubeconfig = folder.join("server.kubeconfig");
      await writeFile(kubeconfig, await relay.kubeconfig(plane, "assay-server"));
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
      plane.client.create(`${SHOP}/pods`, {
        metadata: { name, labels: { app: "web" } },
        spec: { ...spec, containers: [{ name: "main", image: "none", imagePullPolicy: "Never" }] },
      });
    const removePod = (name: string) =>
      plane.client.delete(`${SHOP}/pods/${name}`, { gracePeriodSeconds: 0 });

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
        last = (await plane.client.get<Resource>(path)).status;
        return last?.conditions.some((each) => each.type === "Ready" && each.reason === reason)
          ? last
          : undefined;
      }).catch(() => assert.fail(`${path}: ${JSON.stringify(last)}`));
    }

    /** Waits until the ClusterSPIFFEID "web" counts this. */
    async function untilStats(wanted: Readonly<Record<string, number>>): Promise<void> {
      await eventually(JSON.stringify(wanted), async () => {
        const path = `${SPIFFE_IDS}/web`;
        const stats = (await plane.client.get<Resource>(path)).status?.stats;
        return (
          Object.entries(wanted).every(([name, count]) => stats?.[name] === count) || undefined
        );
      });
    }

    for (const { name, object, says } of refused) {
      test(`the API server refuses ${name}`, async () => {
        await assert.rejects(plane.client.create(pathOf(object), object), { message: says });
      });
    }

    test("a pod has an entry once it is bound, and none once it has succeeded", async () => {
      await plane.client.create(SPIFFE_IDS, clusterSpiffeId("web", { spiffeIDTemplate: BY_NAME }));
      await createPod("job", { schedulerName: "nobody" });
      await untilStats({ podsSelected: 1, podsWaiting: 1, entriesToSet: 0 });
      assert.deepEqual(await entries(), []);
      await plane.client.create(`${SHOP}/pods/job/binding`, {
        metadata: { name: "job" },
        target: { kind: "Node", name: "node-1" },
      });
      const [{ entry, metadata } = {}] = await until("/shop/job");
      const pod = await plane.client.get(`${SHOP}/pods/job`);
      const node = await plane.client.get("/api/v1/nodes/node-1");
      assert.equal(entry?.parentId?.path, `/spire/agent/k8s_psat/east/${node.metadata.uid}`);
      assert.deepEqual(
        entry?.selectors.map(({ type, value }) => `${type}:${value}`),
        [`k8s:pod-uid:${pod.metadata.uid}`],
      );
      assert.equal(metadata?.origin?.name, "web");
      await plane.client.patch(`${SHOP}/pods/job/status`, { status: { phase: "Succeeded" } });
      await until();
      await removePod("job");
    });

    test("entries follow labels, and a change of the template in place", async () => {
      await createPod("a");
      await createPod("b");
      await until("/shop/a", "/shop/b");
      const podSelector = { matchLabels: { app: "web" } };
      await plane.client.patch(`${SPIFFE_IDS}/web`, { spec: { podSelector } });
      await plane.client.patch(`${SHOP}/pods/b`, { metadata: { labels: { app: "api" } } });
      const [before] = await until("/shop/a");
      const spiffeIDTemplate = BY_NAME.replace(/^.*}}\//, "spiffe://example.test/new/");
      await plane.client.patch(`${SPIFFE_IDS}/web`, { spec: { spiffeIDTemplate } });
      const [changed] = await until("/new/a");
      assert.equal(changed?.entry?.id, before?.entry?.id);
      const namespaceSelector = { matchLabels: { env: "prod" } };
      await plane.client.patch(`${SPIFFE_IDS}/web`, { spec: { namespaceSelector } });
      await until();
      await plane.client.patch(SHOP, { metadata: { labels: { env: "prod" } } });
      await until("/new/a");
      await plane.client.patch(`${SHOP}/pods/b`, { metadata: { labels: { app: "web" } } });
      await until("/new/a", "/new/b");
    });

    test("each resource says what came of it", async () => {
      await untilStats({ podsSelected: 2, podsWaiting: 0, entriesToSet: 2 });
      await eventually("the status of the last generation", async () => {
        const { metadata, status } = await plane.client.get<Resource>(`${SPIFFE_IDS}/web`);
        return status?.observedGeneration === metadata.generation || undefined;
      });
      const objects = [
        clusterSpiffeId("malformed", { spiffeIDTemplate: "spiffe://x/{{ .Nope }}" }),
        clusterSpiffeId("foreign", { spiffeIDTemplate: "spiffe://bank.test/x" }),
        staticEntry("vm"),
        workloadIdentity("tenant", { pathTemplate: "own/{{ .PodMeta.Name }}" }),
      ];
      for (const object of objects) await plane.client.create(pathOf(object), object);
      await until("/new/a", "/new/b", "/ns/shop/own/a", "/ns/shop/own/b", "/vm");
      const malformed = await statusOf(`${SPIFFE_IDS}/malformed`, "Invalid");
      assert.match(JSON.stringify(malformed.conditions), /there is no field \\"Nope\\"/);
      const foreign = await statusOf(`${SPIFFE_IDS}/foreign`, "RenderFailed");
      assert.equal(foreign.errors?.[0]?.pod, "shop/a");
      await statusOf(`${STATIC_ENTRIES}/vm`, "Applied");
      await statusOf(`${IDENTITIES}/tenant`, "Applied");
      for (const object of objects) {
        await plane.client.delete(`${pathOf(object)}/${object.metadata.name}`);
      }
      await until("/new/a", "/new/b");
    });

    test("entries of others stay as they are, and in the way they are named", async () => {
      const node = await plane.client.get("/api/v1/nodes/node-1");
      await createPod("c", { schedulerName: "nobody" });
      const pod = await plane.client.get(`${SHOP}/pods/c`);
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
      await plane.client.create(`${SHOP}/pods/c/binding`, {
        metadata: { name: "c" },
        target: { kind: "Node", name: "node-1" },
      });
      const { errors } = await statusOf(`${SPIFFE_IDS}/web`, "EntriesRefused");
      const message = `entry ${id}, which is not the registrar's, grants the same`;
      assert.deepEqual(errors, [{ pod: "shop/c", message }]);
      await removePod("c");
      await plane.client.delete(`${SPIFFE_IDS}/web`);
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

/** The kinds, the chart's role for the server, and a namespace with a node to run its pods on. */
async function createObjects({ client }: ControlPlane): Promise<void> {
  const folder = join(root, "deploy", "helm", "assay", "crds");
  const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  for (const file of await readdir(folder)) {
    await client.create(crds, parse(await readFile(join(folder, file), "utf8")));
  }
  for (const name of ["assay-system", "shop"]) {
    await client.create("/api/v1/namespaces", { metadata: { name } });
  }
  await client.create("/api/v1/nodes", { metadata: { name: "node-1" } });
  await client.create(`${SYSTEM}/serviceaccounts`, { metadata: { name: "assay-server" } });
  const manifests = await readFile(join(root, "deploy", "kubernetes", "server.yaml"), "utf8");
  const objects = parseAllDocuments(manifests).map((each) => each.toJS() as Resource | null);
  for (const kind of ["ClusterRole", "ClusterRoleBinding"]) {
    const object = objects.find(
      (each) => each?.kind === kind && each.metadata.name === "assay-server",
    );
    assert.ok(object, kind);
    await client.create(`${RBAC}/${kind.toLowerCase()}s`, object);
  }
  for (const path of [SPIFFE_IDS, STATIC_ENTRIES, IDENTITIES, `${SHOP}/serviceaccounts/default`]) {
    await eventually(path, () => client.get(path));
  }
}
