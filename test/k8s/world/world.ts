import { join } from "node:path";
import { stringify } from "yaml";
import { root } from "../../support/sources.ts";
import { Cluster, type ClusterOptions } from "../cluster/cluster.ts";
import { assayImage, buildImages } from "./images.ts";

/** The trust domain of the tests. */
export const trustDomain = "example.test";

/** The namespace of the product. */
export const system = "assay-system";

/** The chart, as it is in this checkout. */
export const chart: string = join(root, "deploy", "helm", "assay");

/** Values that a test gives the chart beside those that every one does. */
export type Values = Readonly<Record<string, unknown>>;

/** Starts a cluster whose nodes have the product's image and that of the workloads, and builds these meanwhile. */
export async function startWithImages(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await Cluster.start(options);
  try {
    await cluster.importImages(await buildImages(cluster.folder.path));
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

/** Installs or upgrades the chart and, unless told otherwise, waits until all of it is ready. */
export async function installChart(
  cluster: Cluster,
  values: Values = {},
  { wait = true }: { readonly wait?: boolean } = {},
): Promise<void> {
  const input = stringify({
    trustDomain,
    image: { ...assayImage, pullPolicy: "Never" },
    ...values,
  });
  const flags = ["--namespace", system, "--create-namespace", "--values", "-"];
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
  cluster: Cluster,
  name: string,
  { identities = true }: { readonly identities?: boolean } = {},
): Promise<void> {
  const labels = identities ? { "assay.dev/identities": "enabled" } : {};
  await cluster.client.create("/api/v1/namespaces", { metadata: { name, labels } });
}

/** Deletes namespaces with all that is in them, and waits until they are gone. */
export async function deleteNamespaces(
  cluster: Cluster,
  ...names: readonly string[]
): Promise<void> {
  await cluster.kubectl(["delete", "namespace", ...names, "--ignore-not-found", "--timeout=3m"]);
}

/** Makes a service account. */
export async function createServiceAccount(
  cluster: Cluster,
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
