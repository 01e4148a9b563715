// The registrar as a process of its own, over mTLS with an SVID of the Workload API: server, agent and registrar are processes.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { stringify } from "yaml";
import { unbuiltCommand } from "../../deploy/local/assay-command.ts";
import { Child } from "../../deploy/local/child.ts";
import { freePort } from "../../deploy/local/free-port.ts";
import { registerWorkload } from "../../deploy/local/user-entry.ts";
import { Admin, type EntryWithMetadata } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { FakeKubeApi, type FakeObject } from "../fakes/fake-kube-api.ts";
import { rawPod, rawResource } from "../support/cluster-objects.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "../support/machine.ts";

const REGISTRAR = "/ns/assay-system/sa/assay-registrar";
/** Seconds; the agent renews at half of it, and the server ends connections of certificates that have run out. */
const SVID_TTL = 6;

describe("the registrar as a process", () => {
  const opened = new AsyncDisposableStack();
  let kube: FakeKubeApi;
  let machine: Machine;
  let registrar: Child;
  let observabilityPort: number;

  const file = (name: string) => join(machine.local.layout.home, name);

  const ready = async () => (await fetch(`http://127.0.0.1:${observabilityPort}/ready`)).status;

  /** Starts one. @param workloadApi where it gets its SVID */
  async function start(name: string, workloadApi: string): Promise<Child> {
    observabilityPort = await freePort(0);
    const configPath = file(`${name}.yaml`);
    await writeFile(
      configPath,
      stringify({
        trustDomain: "example.test",
        server: `127.0.0.1:${machine.local.port}`,
        workloadApi: `unix://${workloadApi}`,
        cluster: "east",
        kubeconfig: file("kubeconfig"),
        observability: { address: "127.0.0.1", port: observabilityPort },
        log: { format: "text" },
      }),
    );
    const child = await Child.start({
      name,
      file: unbuiltCommand.file,
      args: [...unbuiltCommand.args, "registrar", "run", "--config", configPath],
      logPath: file(`${name}.log`),
    });
    opened.defer(async () => void (await child.stop(systemClock)));
    return child;
  }

  before(async () => {
    kube = opened.use(await FakeKubeApi.open());
    kube.put("nodes", { metadata: { name: "node-1" } });
    kube.put("namespaces", { metadata: { name: "shop" } });
    machine = opened.use(
      await Machine.start({
        server: {
          operators: [
            {
              id: `spiffe://example.test${REGISTRAR}`,
              roles: ["registrar", "viewer"],
              registrar: {
                cluster: "east",
                parents: ["/spire/agent/k8s_psat/east/**"],
                ids: ["/ns/**"],
              },
            },
          ],
        },
      }),
    );
    const { local, signal } = machine;
    const selectors = [`unix:uid:${process.getuid?.() ?? 0}`];
    await registerWorkload(local, { path: REGISTRAR, selectors, x509SvidTtl: SVID_TTL }, signal);
    await writeFile(file("kubeconfig"), kube.kubeconfig());
    registrar = await start("registrar", local.layout.workloadSocket);
  });
  after(() => opened.disposeAsync());

  const put = (plural: string, raw: object) => kube.put(plural, raw as FakeObject);
  const rule = (name: string, spiffeIDTemplate: string) =>
    put("clusterspiffeids", rawResource("ClusterSPIFFEID", name, { spiffeIDTemplate }));

  /** Entries of the cluster. */
  async function entries(): Promise<readonly EntryWithMetadata[]> {
    const admin = machine.local.server.client(Admin);
    return (await admin.listEntries({ originCluster: "east" }, machine.call)).entries;
  }

  /** Waits until the cluster's entries have exactly these paths. */
  async function until(...paths: readonly string[]): Promise<readonly EntryWithMetadata[]> {
    let found: readonly string[] = [];
    const wanted = [...paths].sort();
    return eventually(
      "the entries",
      async () => {
        const all = await entries();
        found = all.map(({ entry }) => entry?.spiffeId?.path ?? "").sort();
        return found.join() === wanted.join() ? all : undefined;
      },
      { timeoutMs: 40_000 },
    ).catch(async (error: unknown) => {
      assert.deepEqual(found, wanted, (await registrar.lastLines(20)).join("\n"));
      throw error;
    });
  }

  it("gives a pod an entry, as the operator that its SVID makes it", async () => {
    rule("default", "spiffe://{{ .TrustDomain }}/ns/{{ .PodMeta.Namespace }}/{{ .PodMeta.Name }}");
    put("pods", rawPod("a"));
    const [{ entry, metadata } = {}] = await until("/ns/shop/a");
    assert.equal(entry?.parentId?.path, "/spire/agent/k8s_psat/east/uid-node-1");
    assert.equal(metadata?.createdBy, `spiffe://example.test${REGISTRAR}`);
    assert.equal(await ready(), 200);
  });

  it("is refused what lies outside of its scope, and says so at the resource", async () => {
    rule("root", "spiffe://{{ .TrustDomain }}/root");
    const { message } = await eventually("the refusal", () => {
      const status = kube.get("clusterspiffeids", { name: "root" })?.["status"] as
        | { conditions: { reason: string }[]; errors: { message: string }[] }
        | undefined;
      return status?.conditions.some(({ reason }) => reason === "EntriesRefused")
        ? status.errors[0]
        : undefined;
    });
    assert.match(message, /^the SPIFFE ID is outside of the registrar's scope/);
    await until("/ns/shop/a");
    kube.remove("clusterspiffeids", { name: "root" });
  });

  it("goes on when the server was away, and catches up", async () => {
    await machine.local.server[Symbol.asyncDispose]();
    put("pods", rawPod("b"));
    kube.remove("pods", { name: "a", namespace: "shop" });
    await machine.local.startServer();
    await until("/ns/shop/b");
  });

  it("goes on with a new SVID when its first has run out", async () => {
    const beginMs = systemClock.monotonicMs();
    await eventually(
      "the end of the first SVID",
      () => systemClock.monotonicMs() - beginMs > SVID_TTL * 1000 || undefined,
    );
    put("pods", rawPod("c"));
    await until("/ns/shop/b", "/ns/shop/c");
    await eventually("the report", async () => {
      const { registrars } = await machine.local.server
        .client(Admin)
        .listRegistrars({}, machine.call);
      return registrars.some((report) => report.cluster === "east" && report.entries === 2n)
        ? true
        : undefined;
    });
  });

  it("ends in order when it is told to, and leaves the entries", async () => {
    assert.deepEqual(await registrar.stop(systemClock), { code: 0, signal: null });
    assert.match(await readFile(registrar.logPath, "utf8"), /Registrar stopped/);
    await until("/ns/shop/b", "/ns/shop/c");
  });

  it("ends in order while it waits for an SVID", async () => {
    const waiting = await start("waiting", file("no-agent.sock"));
    const log = () => readFile(waiting.logPath, "utf8");
    await eventually(
      "the wait",
      async () => (await log()).includes("waits for its SVID") || undefined,
    );
    assert.equal(await ready(), 503);
    assert.deepEqual(await waiting.stop(systemClock), { code: 0, signal: null });
    assert.match(await log(), /Registrar stopped/);
  });
});
