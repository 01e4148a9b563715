import { join } from "node:path";
import { stringify } from "yaml";
import { eventually } from "../../support/eventually.ts";
import { root } from "../../support/sources.ts";
import { Cluster, type ClusterOptions } from "../cluster/cluster.ts";
import type { KubeCluster } from "../cluster/kube-cluster.ts";
import { assayImage, buildImages, pullPolicy } from "./images.ts";

/** The trust domain of the tests. */
export const trustDomain = "example.test";

/** The namespace of the product. */
export const system = "assay-system";

/** The chart, as it is in this checkout. */
export const chart: string = join(root, "deploy", "helm", "assay");

/** Values that a test gives the chart beside those that every one does. */
export type Values = Readonly<Record<string, unknown>>;

/** Starts a cluster whose nodes have the product's image and that of the workloads. */
export function startWithImages(options: ClusterOptions = {}): Promise<Cluster> {
  return Cluster.start({ ...options, makeImages: buildImages });
}

/** Installs or upgrades the chart and, unless told otherwise, waits until all of it is ready. */
export async function installChart(
  cluster: KubeCluster,
  values: Values = {},
  { wait = true }: { readonly wait?: boolean } = {},
): Promise<void> {
  const input = stringify({
    trustDomain,
    image: { ...assayImage, pullPolicy },
    ...values,
  });
  // What a cluster of somebody else needs, such as how its kubelets are verified.
  const more = process.env["ASSAY_TEST_VALUES"];
  const flags = ["--namespace", system, "--create-namespace", "--values", "-"].concat(
    more === undefined ? [] : ["--values", more],
  );
  const waiting = wait ? ["--wait", "--timeout", "2m"] : [];
  await cluster.helm(["upgrade", "--install", "assay", chart, ...flags, ...waiting], { input });
}

/** How a server elsewhere reaches this cluster: as the account that the chart has for it. */
export async function kubeconfigOfServer(cluster: Cluster): Promise<string> {
  const path = `/api/v1/namespaces/${system}/serviceaccounts/assay-server/token`;
  const made = await cluster.client.create<{ readonly status: { readonly token: string } }>(path, {
    spec: { expirationSeconds: 7200 },
  });
  const { server, authority } = cluster.plane;
  const clusterData = {
    server,
    "certificate-authority-data": Buffer.from(authority.certificate).toString("base64"),
  };
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "cluster",
    clusters: [{ name: "cluster", cluster: clusterData }],
    users: [{ name: "server", user: { token: made.status.token } }],
    contexts: [{ name: "cluster", context: { cluster: "cluster", user: "server" } }],
  });
}

/** Makes a namespace and says whether its pods get the identities of the chart's default resource. */
export async function createNamespace(
  cluster: KubeCluster,
  name: string,
  { identities = true }: { readonly identities?: boolean } = {},
): Promise<void> {
  const labels = identities ? { "assay.dev/identities": "enabled" } : {};
  await cluster.client.create("/api/v1/namespaces", { metadata: { name, labels } });
}

/** Deletes namespaces with all that is in them, and does not wait until they are gone. */
export async function deleteNamespaces(
  cluster: KubeCluster,
  ...names: readonly string[]
): Promise<void> {
  for (const name of names) await cluster.client.delete(`/api/v1/namespaces/${name}`);
}

/** Waits until all namespaces that are being deleted are gone. */
export async function untilNamespacesGone({ client }: KubeCluster): Promise<void> {
  await eventually(
    "the end of namespaces",
    async () => {
      const left = (await client.list("/api/v1/namespaces")).filter(
        ({ metadata }) => metadata.deletionTimestamp !== undefined,
      );
      if (left.length === 0) return true;
      throw new Error(`there still is ${left.map(({ metadata }) => metadata.name).join()}`);
    },
    { timeoutMs: 180_000, intervalMs: 200 },
  );
}

/** Makes a service account. */
export async function createServiceAccount(
  cluster: KubeCluster,
  namespace: string,
  name: string,
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await cluster.client.create(path, { metadata: { name } });
}

/** The SPIFFE ID that the chart's default resource gives. */
export function defaultId(namespace: string, serviceAccount = "default"): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}
