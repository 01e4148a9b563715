// The chart from installed to gone: what admission refuses, upgrade under running workloads, and uninstall.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import type { KubeObject } from "../cluster/kube-client.ts";
import type { KubeCluster } from "../cluster/kube-cluster.ts";
import type { Pod } from "../cluster/pods.ts";
import { assay } from "../world/assay-command.ts";
import { listEverything } from "../world/everything.ts";
import { Workload } from "../world/workload.ts";
import {
  createNamespace,
  defaultId,
  deleteNamespaces,
  installChart,
  system,
  untilNamespacesGone,
} from "../world/world.ts";
import type { PortableStory } from "./story.ts";

const namespace = "tenant";

/** Where the bundle goes beside the agents' own ConfigMap. */
const publishing = { namespaces: true, clusterTrustBundle: "assay-example" };

/** What the API server refuses, and with which words. */
const refused = [
  {
    name: "a tenant's path that climbs",
    object: workloadIdentity({ pathTemplate: "a/../../other/sa/web" }),
    says: /expected no \. or \.\./,
  },
  {
    name: "a tenant's path that begins elsewhere",
    object: workloadIdentity({ pathTemplate: "/spire/server" }),
    says: /expected/,
  },
  {
    name: "an ID of the server",
    object: clusterSpiffeId({ spiffeIDTemplate: "spiffe://{{ .TrustDomain }}/spire/server" }),
    says: /IDs below \/spire belong to server and agents/,
  },
  {
    name: "rights for an identity, from somebody who may not give any",
    object: clusterSpiffeId({ spiffeIDTemplate: "spiffe://{{ .TrustDomain }}/ops", admin: true }),
    as: "editor",
    says: /privilegedidentities/,
  },
];

/** @param story.present what the cluster had before the chart was installed */
export function chartStories(
  story: PortableStory & { readonly present: ReadonlySet<string> },
): void {
  suite("the chart", () => {
    const cluster = (): KubeCluster => story.cluster;
    const workloads: Workload[] = [];

    test("every node has an agent that the server knows", async () => {
      const agents = await assay(cluster(), ["agent", "list"]);
      const ids = agents.map(({ id }) => String(id)).filter((id) => id.includes("/k8s_psat/main/"));
      assert.equal(ids.length, new Set(cluster().nodeNames).size);
      for (const id of ids) assert.match(id, /\/spire\/agent\/k8s_psat\/main\/[0-9a-f-]{36}$/);
    });

    test("pods of a labelled namespace have their identity", async () => {
      await createNamespace(cluster(), namespace);
      for (const [index, node] of cluster().nodeNames.entries()) {
        const name = `web-${index + 1}`;
        const workload = await Workload.create(cluster(), { name, namespace, node });
        workloads.push(workload);
        await workload.untilIdentity(defaultId(namespace));
      }
    });

    for (const { name, object, as, says } of refused) {
      test(`the API server refuses ${name}`, async () => {
        if (as !== undefined) await letWrite(cluster(), as);
        const flags = ["create", "-f", "-", ...(as === undefined ? [] : ["--as", as])];
        // Policies take a moment until they hold.
        await eventually(name, async () => {
          const answer = await cluster()
            .kubectl([...flags, "--dry-run=server"], { input: JSON.stringify(object) })
            .catch(String);
          return says.test(answer) ? true : undefined;
        });
      });
    }

    test("an upgrade that replaces every pod takes no identity away", async () => {
      const old = await podNames(cluster());
      const startedAt = Date.now();
      await installChart(cluster(), { log: { level: "debug" }, bundle: publishing });
      const isNew = (name: string): boolean => !old.includes(name) || name === "assay-server-0";
      await eventually("new pods", async () => {
        const now = await podNames(cluster());
        return now.length === old.length && now.every(isNew) ? true : undefined;
      });
      for (const workload of workloads) {
        // The stream of go-spiffe ends with its agent and comes back by itself.
        await workload.untilIdentity(defaultId(namespace), { since: startedAt });
        // Before its first identity, on a slow machine, a pod may have been refused.
        const denied = (await workload.lines()).filter(
          ({ at, code }) => at >= startedAt && code === "PermissionDenied",
        );
        assert.deepEqual(denied, []);
      }
    });

    test("the bundle is published where it was asked for, and pods mount it without an identity", async () => {
      const { client } = cluster();
      const path = `/apis/certificates.k8s.io/v1beta1/clustertrustbundles/${publishing.clusterTrustBundle}`;
      const { spec } = await eventually("the ClusterTrustBundle", () =>
        client.get<KubeObject & { readonly spec: { readonly trustBundle: string } }>(path),
      );
      assert.match(spec.trustBundle, /^-----BEGIN CERTIFICATE-----/);
      await client.patch(`/api/v1/namespaces/${namespace}`, {
        metadata: { labels: { "assay.dev/bundle": "enabled" } },
      });
      const { data } = await eventually("the ConfigMap", () =>
        client.get<KubeObject & { readonly data: Readonly<Record<string, string>> }>(
          `/api/v1/namespaces/${namespace}/configmaps/assay-bundle`,
        ),
      );
      const source = { name: publishing.clusterTrustBundle, path: "bundle.pem" };
      const reader = await Workload.create(cluster(), {
        ...{ name: "reader", namespace },
        command: ["/bin/cat", "/spiffe/bundle.pem"],
        spec: {
          restartPolicy: "Never",
          volumes: [{ name: "spiffe", projected: { sources: [{ clusterTrustBundle: source }] } }],
        },
      });
      workloads.push(reader);
      const read = await eventually("the file", async () => (await reader.log()) || undefined, {
        timeoutMs: 60_000,
      });
      assert.equal(certificatesOf(read), certificatesOf(data["bundle.pem"] ?? ""));
      assert.equal(certificatesOf(read), certificatesOf(spec.trustBundle));
    });

    test("uninstalling leaves the definitions and the volume, and nothing else", async () => {
      for (const workload of workloads) await workload.delete();
      for (const workload of workloads) await workload.untilGone();
      await deleteNamespaces(cluster(), namespace);
      await untilNamespacesGone(cluster());
      const roles = ["clusterrole,clusterrolebinding", "editor"];
      await cluster().kubectl(["delete", ...roles, "--ignore-not-found"]);
      await cluster().helm(["uninstall", "assay", "--namespace", system, "--wait"]);
      await eventually(
        "nothing of ours",
        async () => {
          const left = [...(await listEverything(cluster()))].filter(
            (name) => !story.present.has(name),
          );
          assert.deepEqual(
            left.filter((name) => !isKept(name)),
            [],
          );
          return true;
        },
        { timeoutMs: 30_000, intervalMs: 500 },
      );
    });
  });
}

/** What stays on purpose, or is the namespace itself. */
function isKept(name: string): boolean {
  return (
    /^customresourcedefinitions |^apiservices v1alpha1\./.test(name) ||
    name === `persistentvolumeclaims ${system}/data-assay-server-0` ||
    name === `namespaces ${system}` ||
    [`configmaps ${system}/kube-root-ca.crt`, `serviceaccounts ${system}/default`].includes(name)
  );
}

function workloadIdentity(spec: object): object {
  return {
    apiVersion: "assay.dev/v1alpha1",
    kind: "WorkloadIdentity",
    metadata: { name: "refused", namespace: "default" },
    spec,
  };
}

function clusterSpiffeId(spec: object): object {
  return {
    apiVersion: "spire.spiffe.io/v1alpha1",
    kind: "ClusterSPIFFEID",
    metadata: { name: "refused" },
    spec,
  };
}

/** Lets a user write resources for the whole cluster, but give no rights. */
async function letWrite(cluster: KubeCluster, user: string): Promise<void> {
  const rbac = "rbac.authorization.k8s.io";
  await cluster.apply(
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRole",
      metadata: { name: user },
      rules: [
        { apiGroups: ["spire.spiffe.io"], resources: ["clusterspiffeids"], verbs: ["create"] },
      ],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: user },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: user },
      subjects: [{ apiGroup: rbac, kind: "User", name: user }],
    },
  );
}

async function podNames(cluster: KubeCluster): Promise<readonly string[]> {
  const pods = await cluster.client.list<Pod>(`/api/v1/namespaces/${system}/pods`);
  return pods.map(({ metadata }) => metadata.name);
}

/** The certificates of a text in PEM, without what stands between them, in one order. */
function certificatesOf(pem: string): string {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return found.sort().join("\n");
}
