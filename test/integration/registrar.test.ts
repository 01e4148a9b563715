// Entries from custom resources: the registrar inside a server, against an API server over TLS.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { runAssay } from "../../assay.ts";
import {
  Admin,
  type EntryWithMetadata,
  type RegistrarHold,
} from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { FakeKubeApi, type FakeObject } from "../fakes/fake-kube-api.ts";
import { rawPod, rawResource, STATIC_SPEC } from "../support/cluster-objects.ts";
import { eventually } from "../support/eventually.ts";
import { CALL, RunningServer, type Settings } from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";

const SA =
  "spiffe://{{ .TrustDomain }}/ns/{{ .PodMeta.Namespace }}/sa/{{ .PodSpec.ServiceAccountName }}";

/** A cluster with a node and a namespace, and a server whose registrar watches it. */
class World implements AsyncDisposable {
  readonly kube: FakeKubeApi;
  readonly dir: TempDir;
  readonly #settings: Settings;
  server: RunningServer;

  private constructor(kube: FakeKubeApi, dir: TempDir, settings: Settings, server: RunningServer) {
    this.kube = kube;
    this.dir = dir;
    this.#settings = settings;
    this.server = server;
  }

  static async open(
    prepare: (kube: FakeKubeApi) => void = () => {},
    registrar: object = {},
  ): Promise<World> {
    const kube = await FakeKubeApi.open();
    kube.put("nodes", { metadata: { name: "node-1" } });
    kube.put("namespaces", { metadata: { name: "shop", labels: { env: "prod" } } });
    prepare(kube);
    const dir = await TempDir.open();
    const kubeconfig = dir.join("kubeconfig");
    await writeFile(kubeconfig, kube.kubeconfig());
    const settings = {
      nodeAttestors: {
        k8s_psat: { clusters: { east: { kubeconfig, serviceAccounts: ["assay-system:agent"] } } },
      },
      registrar: { clusters: { east: registrar } },
    };
    return new World(kube, dir, settings, await RunningServer.open(settings, dir));
  }

  async restart(): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.server = await RunningServer.open(this.#settings, this.dir);
  }

  pod(name: string, changes: Parameters<typeof rawPod>[1] = {}): void {
    this.kube.put("pods", asObject(rawPod(name, changes)));
  }

  resource(...args: Parameters<typeof rawResource>): void {
    const [kind] = args;
    this.kube.put(PLURALS[kind], asObject(rawResource(...args)));
  }

  async entries(): Promise<readonly EntryWithMetadata[]> {
    using connection = this.server.admin();
    const { entries } = await connection.client(Admin).listEntries({ pageSize: 5000 }, CALL);
    return entries;
  }

  async ids(): Promise<readonly string[]> {
    const entries = await this.entries();
    return entries.map(({ entry }) => entry?.spiffeId?.path ?? "").sort();
  }

  /** Waits until the entries have exactly these paths. */
  async until(...paths: readonly string[]): Promise<void> {
    let found: readonly string[] = [];
    await eventually("the entries", async () => {
      found = await this.ids();
      return JSON.stringify(found) === JSON.stringify([...paths].sort()) ? true : undefined;
    }).catch(() => assert.deepEqual(found, [...paths].sort()));
  }

  /** Waits until something is held back. */
  async hold(): Promise<RegistrarHold> {
    using connection = this.server.admin();
    return eventually("the hold", async () => {
      const { registrars } = await connection.client(Admin).listRegistrars({}, CALL);
      return registrars[0]?.holds[0];
    });
  }

  /** Waits until the status of a resource has a condition with this reason, and returns the status. */
  async status(
    kind: keyof typeof PLURALS,
    metadata: FakeObject["metadata"],
    type: string,
    reason: string,
  ): Promise<Status> {
    return eventually(`${type} ${reason} of ${metadata.name}`, () => {
      const status = this.kube.get(PLURALS[kind], metadata)?.["status"] as Status | undefined;
      const isThere = status?.conditions.some(
        (each) => each.type === type && each.reason === reason,
      );
      return isThere === true ? status : undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.kube[Symbol.asyncDispose]();
    await this.dir[Symbol.asyncDispose]();
  }
}

interface Status {
  readonly observedGeneration: number;
  readonly conditions: readonly { type: string; status: string; reason: string; message: string }[];
  readonly stats: Readonly<Record<string, number>>;
  readonly errors: readonly { pod: string; message: string }[];
  readonly conflicts: readonly { pod: string; spiffeID: string; by: string }[];
  readonly sharedIdentities: readonly { spiffeID: string; owners: readonly string[] }[];
}

const PLURALS = {
  ClusterSPIFFEID: "clusterspiffeids",
  ClusterStaticEntry: "clusterstaticentries",
  ClusterFederatedTrustDomain: "clusterfederatedtrustdomains",
  WorkloadIdentity: "workloadidentities",
} as const;

function asObject(raw: object): FakeObject {
  return raw as FakeObject;
}

/** What a command would see of a process. */
function recordingIo() {
  let written = "";
  const io = {
    write: (text: string) => {
      written += text;
    },
    writeError: () => {},
    readInput: async () => "",
    env: {},
    signal: CALL.signal,
  };
  return { io, output: () => written };
}

describe("the registrar", () => {
  it("gives a pod an entry when it is bound, and takes it away when its task has ended", async () => {
    await using world = await World.open();
    world.resource("ClusterSPIFFEID", "default", { spiffeIDTemplate: SA });
    world.pod("web-1", { spec: { nodeName: undefined }, status: { phase: "Pending" } });
    world.pod("web-2", { status: { phase: "Pending", containerStatuses: [] } });
    await world.until("/ns/shop/sa/web");
    const [{ entry, metadata } = {}] = await world.entries();
    assert.deepEqual(
      entry?.selectors.map(({ type, value }) => `${type}:${value}`),
      ["k8s:pod-uid:uid-web-2"],
    );
    assert.equal(entry?.parentId?.path, "/spire/agent/k8s_psat/east/uid-node-1");
    assert.deepEqual(
      [
        metadata?.origin?.kind,
        metadata?.origin?.cluster,
        metadata?.origin?.name,
        metadata?.createdBy,
      ],
      ["ClusterSPIFFEID", "east", "default", "registrar:east"],
    );
    world.pod("web-2", { status: { phase: "Succeeded" } });
    await world.until();
    world.pod("web-1");
    await world.until("/ns/shop/sa/web");
    world.pod("web-1", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } });
    world.kube.remove("pods", { name: "web-1", namespace: "shop" });
    await world.until();
  });

  it("follows labels of pods and namespaces, and changes of resources, in place", async () => {
    await using world = await World.open((kube) => {
      kube.put(
        "clusterspiffeids",
        asObject(
          rawResource("ClusterSPIFFEID", "prod", {
            spiffeIDTemplate: "spiffe://example.test/prod/{{ .PodMeta.Name }}",
            namespaceSelector: { matchLabels: { env: "prod" } },
            podSelector: { matchLabels: { app: "web" } },
          }),
        ),
      );
    });
    world.pod("a");
    world.pod("b");
    await world.until("/prod/a", "/prod/b");
    const before = (await world.entries()).map(({ entry }) => entry?.id).sort();
    world.pod("b", { metadata: { labels: { app: "api" } } });
    await world.until("/prod/a");
    world.pod("b");
    await world.until("/prod/a", "/prod/b");
    world.resource(
      "ClusterSPIFFEID",
      "prod",
      { spiffeIDTemplate: "spiffe://example.test/new/{{ .PodMeta.Name }}" },
      { generation: 2 },
    );
    await world.until("/new/a", "/new/b");
    const after = (await world.entries()).map(({ entry }) => entry?.id).sort();
    assert.equal(after.filter((id) => before.includes(id)).length, 1);
    world.resource(
      "ClusterSPIFFEID",
      "prod",
      {
        spiffeIDTemplate: "spiffe://example.test/new/{{ .PodMeta.Name }}",
        namespaceSelector: { matchLabels: { env: "prod" } },
      },
      { generation: 3 },
    );
    for (let flap = 0; flap < 50; flap += 1) {
      world.kube.put("namespaces", { metadata: { name: "shop", labels: { env: "test" } } });
      world.kube.put("namespaces", { metadata: { name: "shop", labels: { env: "prod" } } });
    }
    world.kube.put("namespaces", { metadata: { name: "shop", labels: { env: "test" } } });
    await world.until();
    world.kube.put("namespaces", { metadata: { name: "shop", labels: { env: "prod" } } });
    await world.until("/new/a", "/new/b");
    world.kube.remove("clusterspiffeids", { name: "prod" });
    await world.until();
  });

  it("never touches what is not its own, and says where that is in its way", async () => {
    await using world = await World.open();
    using connection = world.server.admin();
    const admin = connection.client(Admin);
    const spiffeId = { trustDomain: "example.test", path: "/ns/shop/sa/web" };
    const parentId = { trustDomain: "example.test", path: "/spire/agent/k8s_psat/east/uid-node-1" };
    const made = await admin.batchCreateEntry(
      {
        entries: [
          {
            entry: { spiffeId, parentId, selectors: [{ type: "k8s", value: "pod-uid:uid-web-1" }] },
          },
          { entry: { spiffeId, parentId, selectors: [{ type: "unix", value: "uid:1" }] } },
        ],
      },
      CALL,
    );
    world.pod("web-1");
    world.resource("ClusterSPIFFEID", "default", { spiffeIDTemplate: SA });
    const status = await world.status(
      "ClusterSPIFFEID",
      { name: "default" },
      "Ready",
      "EntriesRefused",
    );
    const id = made.results[0]?.entry?.entry?.id;
    assert.deepEqual(status.errors, [
      { pod: "shop/web-1", message: `entry ${id}, which is not the registrar's, grants the same` },
    ]);
    world.kube.remove("pods", { name: "web-1", namespace: "shop" });
    world.kube.remove("clusterspiffeids", { name: "default" });
    world.pod("web-2");
    world.resource("ClusterSPIFFEID", "other", { spiffeIDTemplate: "spiffe://example.test/x" });
    await world.until("/ns/shop/sa/web", "/ns/shop/sa/web", "/x");
    await admin.batchDeleteEntry({ ids: [id ?? ""] }, CALL);
    await world.until("/ns/shop/sa/web", "/x");
  });

  it("gives what two resources spell out once, and tells the other one", async () => {
    await using world = await World.open();
    world.resource("ClusterStaticEntry", "a", STATIC_SPEC);
    await world.status("ClusterStaticEntry", { name: "a" }, "Ready", "Applied");
    world.resource("ClusterStaticEntry", "b", STATIC_SPEC);
    const { conditions } = await world.status(
      "ClusterStaticEntry",
      { name: "b" },
      "Ready",
      "EntriesRefused",
    );
    assert.match(conditions[0]?.message ?? "", /another resource grants the same/);
    world.kube.remove("clusterstaticentries", { name: "a" });
    await world.status("ClusterStaticEntry", { name: "b" }, "Ready", "Applied");
    assert.deepEqual(await world.ids(), ["/ns/vm"]);
  });

  it("tells each resource what came of it, and lets the others go on", async () => {
    await using world = await World.open();
    world.pod("web-1");
    world.pod("web-2", { metadata: { labels: { app: "web", "assay.dev/owner": "x" } } });
    world.resource("ClusterSPIFFEID", "good", { spiffeIDTemplate: SA });
    world.resource("ClusterSPIFFEID", "malformed", { spiffeIDTemplate: "{{ .Nope }}", ttl: "x" });
    world.resource("ClusterSPIFFEID", "foreign", { spiffeIDTemplate: "spiffe://bank.test/x" });
    world.resource("ClusterSPIFFEID", "idle", {
      spiffeIDTemplate: SA,
      podSelector: { matchLabels: { app: "none" } },
    });
    world.resource("WorkloadIdentity", "tenant", { pathTemplate: "own/{{ .PodMeta.Name }}" });
    world.resource("ClusterStaticEntry", "vm", {
      spiffeID: "spiffe://example.test/vm",
      parentID: "spiffe://example.test/spire/agent/k8s_psat/east/uid-node-1",
      selectors: ["unix:uid:1"],
    });
    await world.until(
      ...["/ns/shop/own/web-1", "/ns/shop/own/web-2", "/ns/shop/sa/web", "/ns/shop/sa/web", "/vm"],
    );
    const malformed = await world.status(
      "ClusterSPIFFEID",
      { name: "malformed" },
      "Ready",
      "Invalid",
    );
    assert.match(
      malformed.conditions[0]?.message ?? "",
      /^spec\.spiffeIDTemplate: column 4: there is no field "Nope"/,
    );
    const foreign = await world.status(
      "ClusterSPIFFEID",
      { name: "foreign" },
      "Ready",
      "RenderFailed",
    );
    assert.equal(foreign.stats["podEntryRenderFailures"], 2);
    assert.match(foreign.errors[0]?.message ?? "", /not of the trust domain/);
    const good = await world.status("ClusterSPIFFEID", { name: "good" }, "Ready", "Applied");
    assert.deepEqual(
      [good.stats["podsSelected"], good.stats["entriesToSet"], good.stats["namespacesSelected"]],
      [2, 2, 2],
    );
    await world.status("ClusterSPIFFEID", { name: "good" }, "Conflict", "SeveralIdentities");
    const shared = await world.status(
      "ClusterSPIFFEID",
      { name: "good" },
      "SharedIdentity",
      "SeveralOwners",
    );
    assert.deepEqual(shared.sharedIdentities, [
      {
        spiffeID: "spiffe://example.test/ns/shop/sa/web",
        owners: ["Pod/shop/web-1", "Pod/shop/web-2"],
      },
    ]);
    await world.status("ClusterSPIFFEID", { name: "idle" }, "Ready", "NoPods");
    await world.status(
      "WorkloadIdentity",
      { name: "tenant", namespace: "shop" },
      "Ready",
      "Applied",
    );
    await world.status("ClusterStaticEntry", { name: "vm" }, "Ready", "Applied");
    // And one that no pod has ever had to do with, made while it runs.
    world.resource("ClusterSPIFFEID", "late", { spiffeIDTemplate: "{{ .Nope }}" });
    await world.status("ClusterSPIFFEID", { name: "late" }, "Ready", "Invalid");
  });

  it("tells what comes while it runs, of every generation", async () => {
    await using world = await World.open();
    world.pod("web-1");
    world.resource("ClusterSPIFFEID", "default", { spiffeIDTemplate: SA });
    await world.status("ClusterSPIFFEID", { name: "default" }, "Ready", "Applied");
    const nowhere = { spiffeIDTemplate: SA, podSelector: { matchLabels: { app: "none" } } };
    world.resource("ClusterSPIFFEID", "malformed", { spiffeIDTemplate: "{{ .Nope }}" });
    world.resource("ClusterSPIFFEID", "idle", nowhere);
    world.resource("ClusterFederatedTrustDomain", "other", {
      trustDomain: "other.test",
      bundleEndpointURL: "https://other.test/bundle",
      bundleEndpointProfile: { type: "https_web" },
    });
    await world.status("ClusterSPIFFEID", { name: "malformed" }, "Ready", "Invalid");
    await world.status("ClusterSPIFFEID", { name: "idle" }, "Ready", "NoPods");
    await world.status("ClusterFederatedTrustDomain", { name: "other" }, "Ready", "NotAllowed");
    world.resource("ClusterSPIFFEID", "idle", { ...nowhere, ttl: "1h" }, { generation: 2 });
    await eventually("the status of the new generation", () => {
      const status = world.kube.get("clusterspiffeids", { name: "idle" })?.["status"];
      return (status as Status | undefined)?.observedGeneration === 2 ? true : undefined;
    });
  });

  it("makes relationships with foreign trust domains where it has the right to", async () => {
    await using world = await World.open(() => {}, { federation: true });
    const list = async () => {
      using connection = world.server.admin();
      const { federations } = await connection.client(Admin).listFederations({}, CALL);
      return federations.map(({ federation, origin }) => [
        federation?.trustDomain,
        federation?.endpoint?.url,
        federation?.limits?.any ? "any" : federation?.limits?.idPatterns.join(),
        origin,
      ]);
    };
    const until = (what: string, expected: unknown) =>
      eventually(what, async () =>
        JSON.stringify(await list()) === JSON.stringify(expected) ? true : undefined,
      ).catch(async () => assert.deepEqual(await list(), expected));
    const spec = (url: string, trustDomain = "other.test") => ({
      trustDomain,
      bundleEndpointURL: url,
      bundleEndpointProfile: { type: "https_web" },
    });
    const kind = "ClusterFederatedTrustDomain";
    world.resource(kind, "other", spec("https://127.0.0.1:1/a"));
    await world.status(kind, { name: "other" }, "Ready", "Applied");
    await until("a relationship", [["other.test", "https://127.0.0.1:1/a", "any", "cluster/east"]]);
    const annotations = { "assay.dev/allow-ids": "/payments/*" };
    world.resource(kind, "other", spec("https://127.0.0.1:1/b"), { generation: 2, annotations });
    const limited = ["other.test", "https://127.0.0.1:1/b", "/payments/*", "cluster/east"];
    await until("the change", [limited]);
    world.resource(kind, "other-too", spec("https://127.0.0.1:1/c"));
    await world.status(kind, { name: "other-too" }, "Ready", "Conflict");
    world.resource(kind, "own", spec("https://127.0.0.1:1/", "example.test"));
    await world.status(kind, { name: "own" }, "Ready", "Invalid");
    using connection = world.server.admin();
    const mine = { trustDomain: "mine.test", endpoint: { profile: "none" }, limits: {} };
    await connection.client(Admin).createFederation({ federation: mine }, CALL);
    for (const name of ["other", "other-too"]) {
      world.kube.remove(PLURALS.ClusterFederatedTrustDomain, { name });
    }
    await until("the end", [["mine.test", "", "", "admin"]]);
  });

  it("says nothing to resources of another class, not even that they cannot be read", async () => {
    await using world = await World.open(() => {}, { className: "blue" });
    world.resource("ClusterSPIFFEID", "green", {
      className: "green",
      spiffeIDTemplate: "{{ .X }}",
    });
    world.resource("ClusterSPIFFEID", "blue", { className: "blue", spiffeIDTemplate: "{{ .X }}" });
    await world.status("ClusterSPIFFEID", { name: "blue" }, "Ready", "Invalid");
    // What a status would have to be written for comes before it; another round shows that there is none.
    world.resource("ClusterSPIFFEID", "late", { className: "blue", spiffeIDTemplate: "{{ .X }}" });
    await world.status("ClusterSPIFFEID", { name: "late" }, "Ready", "Invalid");
    assert.equal(world.kube.get("clusterspiffeids", { name: "green" })?.["status"], undefined);
  });

  it("keeps the names of services over a restart", async () => {
    await using world = await World.open();
    const put = (name: string): void =>
      world.kube.put("services", {
        metadata: { name, namespace: "shop" },
        spec: { selector: { app: "web" } },
      });
    put("web");
    world.resource("ClusterSPIFFEID", "default", {
      spiffeIDTemplate: SA,
      autoPopulateDNSNames: true,
    });
    world.pod("a");
    const named = (name: string) =>
      eventually(`the name ${name}`, async () =>
        (await world.entries()).find(({ entry }) => entry?.dnsNames.includes(name)),
      );
    const before = await named("web.shop");
    await world.restart();
    put("api");
    const after = await named("api.shop");
    assert.equal(after.entry?.id, before.entry?.id);
    // Written once, for the new service.
    assert.equal(after.entry?.revisionNumber, (before.entry?.revisionNumber ?? 0n) + 1n);
    assert.ok(after.entry?.dnsNames.includes("web.shop"));
  });

  it("survives a restart, and makes good what it missed", async () => {
    await using world = await World.open();
    world.resource("ClusterSPIFFEID", "default", {
      spiffeIDTemplate: "spiffe://example.test/{{ .PodMeta.Name }}",
    });
    for (const name of ["a", "b", "c"]) world.pod(name);
    await world.until("/a", "/b", "/c");
    const before = await world.entries();
    await world.server[Symbol.asyncDispose]();
    world.kube.remove("pods", { name: "b", namespace: "shop" });
    world.pod("d");
    await world.restart();
    await world.until("/a", "/c", "/d");
    const kept = (await world.entries()).filter(({ entry }) => entry?.spiffeId?.path === "/a");
    assert.equal(
      kept[0]?.entry?.id,
      before.find(({ entry }) => entry?.spiffeId?.path === "/a")?.entry?.id,
    );
    assert.equal(kept[0]?.entry?.revisionNumber, 0n);
  });

  it("does not act on a list that lacks much of what was there, until it is confirmed", async () => {
    await using world = await World.open();
    world.resource("ClusterSPIFFEID", "default", {
      spiffeIDTemplate: "spiffe://example.test/{{ .PodMeta.Name }}",
    });
    const names = Array.from({ length: 10 }, (_, index) => `p${index}`);
    for (const name of names) world.pod(name);
    await world.until(...names.map((name) => `/${name}`));
    const lost = names.slice(0, 6);
    world.kube.forget("pods", ...lost);
    using connection = world.server.admin();
    const admin = connection.client(Admin);
    const hold = await world.hold();
    assert.deepEqual([hold.reason, hold.affected], ["mass_loss", 6n]);
    await world.status("ClusterSPIFFEID", { name: "default" }, "Ready", "Held");
    // What is not held goes on.
    world.pod("new");
    world.kube.remove("pods", { name: "p9", namespace: "shop" });
    const rest = names.filter((name) => name !== "p9");
    await world.until("/new", ...rest.map((name) => `/${name}`));
    // What comes back is held no longer.
    world.pod("p0");
    await admin.confirmRegistrar({ cluster: "east" }, CALL);
    await world.until("/new", "/p0", "/p6", "/p7", "/p8");
    await world.status("ClusterSPIFFEID", { name: "default" }, "Ready", "Applied");
  });

  it("keeps the entries of pods whose nodes a list lacks, whatever else happens, until the nodes are back", async () => {
    const names = Array.from({ length: 10 }, (_, index) => `p${index}`);
    await using world = await World.open((kube) => {
      for (const name of names) kube.put("nodes", { metadata: { name: `node-of-${name}` } });
    });
    world.resource("ClusterSPIFFEID", "default", {
      spiffeIDTemplate: "spiffe://example.test/{{ .PodMeta.Name }}",
    });
    for (const name of names) world.pod(name, { spec: { nodeName: `node-of-${name}` } });
    await world.until(...names.map((name) => `/${name}`));
    const lost = names.slice(0, 6).map((name) => `node-of-${name}`);
    world.kube.forget("nodes", ...lost);
    await world.hold();
    // Another resource that selects the same pods does not bring their nodes back.
    world.resource("WorkloadIdentity", "other", { pathTemplate: "x", podSelector: {} });
    world.kube.remove("workloadidentities", { name: "other", namespace: "shop" });
    world.pod("one");
    await world.until("/one", ...names.map((name) => `/${name}`));
    await world.restart();
    assert.deepEqual((await world.hold()).affected, 6n);
    world.pod("two");
    await world.until("/one", "/two", ...names.map((name) => `/${name}`));
    await world.status("ClusterSPIFFEID", { name: "default" }, "Ready", "Held");
    for (const name of lost) world.kube.put("nodes", { metadata: { name } });
    await world.status("ClusterSPIFFEID", { name: "default" }, "Ready", "Applied");
    await world.until("/one", "/two", ...names.map((name) => `/${name}`));
  });

  it("does not act on a list that has other objects under the names that were there", async () => {
    await using world = await World.open();
    world.resource("ClusterSPIFFEID", "default", {
      spiffeIDTemplate: "spiffe://example.test/{{ .PodMeta.UID }}",
    });
    const names = Array.from({ length: 10 }, (_, index) => `p${index}`);
    for (const name of names) world.pod(name);
    const before = names.map((name) => `/uid-${name}`);
    await world.until(...before);
    const replaced = names.slice(0, 6);
    world.kube.forget("pods", ...replaced);
    for (const name of replaced) world.pod(name, { metadata: { uid: `uid-new-${name}` } });
    await world.until(...before, ...replaced.map((name) => `/uid-new-${name}`));
    using connection = world.server.admin();
    const hold = await eventually("the hold", async () => {
      const { registrars } = await connection.client(Admin).listRegistrars({}, CALL);
      return registrars[0]?.holds[0];
    });
    assert.deepEqual([hold.reason, hold.affected], ["mass_loss", 6n]);
    assert.equal((await world.ids()).length, 16);
  });

  it("stops at another cluster's API server, until it is confirmed", async () => {
    await using world = await World.open();
    world.resource("ClusterSPIFFEID", "default", {
      spiffeIDTemplate: "spiffe://example.test/{{ .PodMeta.Name }}",
    });
    world.pod("a");
    await world.until("/a");
    world.kube.put("namespaces", { metadata: { name: "kube-system", uid: "uid-of-another" } });
    world.kube.forget("pods", "a");
    world.pod("b");
    using connection = world.server.admin();
    const admin = connection.client(Admin);
    await eventually("the hold", async () => {
      const { registrars } = await admin.listRegistrars({}, CALL);
      return registrars[0]?.holds.find(({ reason }) => reason === "other_cluster");
    });
    assert.deepEqual(await world.ids(), ["/a"]);
    await admin.confirmRegistrar({ cluster: "east" }, CALL);
    await eventually(
      "the new cluster",
      async () => {
        const ids = await world.ids();
        return ids.length === 1 && ids[0] === "/b" ? true : undefined;
      },
      { timeoutMs: 60_000 },
    );
  });

  it("says how many namespaces a resource selects, pods or no pods", async () => {
    await using world = await World.open();
    world.resource("ClusterSPIFFEID", "labelled", {
      spiffeIDTemplate: SA,
      namespaceSelector: { matchLabels: { tier: "new" } },
    });
    const name = { name: "labelled" };
    const selected = async (count: number): Promise<void> => {
      await eventually(`${count} namespaces`, async () => {
        const { stats } = await world.status("ClusterSPIFFEID", name, "Ready", "NoPods");
        return stats["namespacesSelected"] === count || undefined;
      });
    };
    await selected(0);
    world.kube.put("namespaces", { metadata: { name: "later", labels: { tier: "new" } } });
    await selected(1);
    world.kube.put("namespaces", { metadata: { name: "later" } });
    await selected(0);
  });

  it("takes turns by a lease where it is told to", async () => {
    await using world = await World.open(() => {}, { leaseNamespace: "assay-system" });
    world.resource("ClusterSPIFFEID", "default", { spiffeIDTemplate: SA });
    world.pod("a");
    await world.until("/ns/shop/sa/web");
    const lease = world.kube.get("leases", { name: "assay-registrar", namespace: "assay-system" });
    assert.match(JSON.stringify(lease), /"holderIdentity":"server-/);
  });

  it("keeps within its patterns, whoever writes the resources", async () => {
    await using world = await World.open(() => {}, { ids: ["/ns/*/sa/*"] });
    world.pod("a");
    world.resource("ClusterSPIFFEID", "default", { spiffeIDTemplate: SA });
    world.resource("ClusterSPIFFEID", "root", { spiffeIDTemplate: "spiffe://example.test/root" });
    await world.until("/ns/shop/sa/web");
    const status = await world.status("ClusterSPIFFEID", { name: "root" }, "Ready", "RenderFailed");
    assert.match(status.errors[0]?.message ?? "", /outside of the registrar's scope/);
  });

  it("shows what it would do before it does it", async () => {
    await using world = await World.open();
    world.pod("a");
    world.resource("ClusterSPIFFEID", "default", { spiffeIDTemplate: SA });
    await world.until("/ns/shop/sa/web");
    const rule = world.dir.join("rule.json");
    await writeFile(
      rule,
      JSON.stringify(
        rawResource("ClusterSPIFFEID", "more", {
          spiffeIDTemplate: "spiffe://example.test/more",
          podSelector: { matchLabels: { app: "web" } },
        }),
      ),
    );
    const common = ["--socket", world.dir.join("admin.sock"), "--output", "json"];
    const kubeconfig = ["--cluster", "east", "--kubeconfig", world.dir.join("kubeconfig")];
    const plan = async (...args: readonly string[]): Promise<unknown> => {
      const { io, output } = recordingIo();
      assert.equal(await runAssay(["registrar", "plan", ...kubeconfig, ...common, ...args], io), 0);
      return JSON.parse(output());
    };
    assert.deepEqual(await plan(), []);
    assert.deepEqual(await plan("-f", rule), [
      {
        action: "create",
        spiffe_id: "spiffe://example.test/more",
        pod: "shop/a",
        resource: "ClusterSPIFFEID more",
        why: "the resource selects the pod",
        rests_on: "pod label app",
      },
    ]);
    const { io, output } = recordingIo();
    assert.equal(await runAssay(["registrar", "status", ...common], io), 0);
    assert.match(output(), /"cluster": "east"/);
    assert.equal(await runAssay(["registrar", "confirm", "east", ...common], io), 3);
  });

  it("has entries for 10,000 pods of one resource within seconds", {
    timeout: 120_000,
  }, async () => {
    await using world = await World.open((kube) => {
      for (let index = 0; index < 10_000; index += 1) {
        kube.put("pods", asObject(rawPod(`p${index}`)));
      }
    });
    world.resource("ClusterSPIFFEID", "default", { spiffeIDTemplate: SA });
    using connection = world.server.admin();
    await eventually(
      "the entries",
      async () => {
        const { registrars } = await connection.client(Admin).listRegistrars({}, CALL);
        return registrars[0]?.entries === 10_000n ? true : undefined;
      },
      { timeoutMs: 60_000, intervalMs: 200 },
    );
  });
});
