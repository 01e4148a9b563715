import { eventually } from "../../support/eventually.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { KubeObject } from "../cluster/kube-client.ts";
import { edgeName, serverAddress } from "./edge.ts";
import { assayImage, pullPolicy } from "./images.ts";
import { system, trustDomain } from "./world.ts";

/** Runs two registrars in it, as its server's administrators would: see docs/operations/registrar.md. */
export async function installRegistrars(main: Cluster, edge: Cluster): Promise<void> {
  const name = "assay-registrar";
  const labels = { "app.kubernetes.io/name": name };
  const rbac = "rbac.authorization.k8s.io";
  const role = await edge.client.get<KubeObject & { readonly rules: readonly Rule[] }>(
    `/apis/${rbac}/v1/clusterroles/assay-server`,
  );
  const rules = role.rules.filter(
    ({ resources }) => !resources.includes("tokenreviews") && !resources.includes("clusterroles"),
  );
  const subjects = [{ kind: "ServiceAccount", name, namespace: system }];
  const apiVersion = `${rbac}/v1`;
  const settings = {
    trustDomain,
    server: serverAddress(main),
    workloadApi: "unix:///spiffe/api.sock",
    cluster: edgeName,
    // It would write anything; what it may is decided by the server.
    settings: { ids: ["/**"], parents: ["/spire/agent/k8s_psat/**"], leaseNamespace: system },
    log: { format: "text" },
  };
  await edge.apply(
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: system } },
    { apiVersion, kind: "ClusterRole", metadata: { name }, rules },
    {
      ...{ apiVersion, kind: "ClusterRoleBinding", metadata: { name }, subjects },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name },
    },
    {
      ...{ apiVersion, kind: "RoleBinding", metadata: { name, namespace: system }, subjects },
      roleRef: { apiGroup: rbac, kind: "Role", name: "assay-server" },
    },
    {
      ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: system } },
      data: { "registrar.yaml": JSON.stringify(settings) },
    },
    {
      ...{
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name, namespace: system, labels },
      },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: name,
            securityContext: { runAsNonRoot: true, runAsUser: 10001 },
            containers: [
              {
                name: "main",
                image: `${assayImage.repository}:${assayImage.tag}`,
                imagePullPolicy: pullPolicy,
                args: ["registrar", "run", "--config", "/etc/assay/registrar.yaml"],
                volumeMounts: [
                  { name: "spiffe", mountPath: "/spiffe", readOnly: true },
                  { name: "config", mountPath: "/etc/assay", readOnly: true },
                ],
              },
            ],
            volumes: [
              { name: "spiffe", csi: { driver: "csi.spiffe.io", readOnly: true } },
              { name: "config", configMap: { name } },
            ],
          },
        },
      },
    },
  );
}

interface Rule {
  readonly resources: readonly string[];
}

/** Waits until a registrar of the second cluster holds the Lease. @returns the name of its pod */
export async function untilLeads(edge: Cluster, isWanted = (_: string) => true): Promise<string> {
  const lease = `/apis/coordination.k8s.io/v1/namespaces/${system}/leases/assay-registrar`;
  return eventually(
    "a registrar that leads",
    async () => {
      const { spec } = await edge.client.get<Lease>(lease);
      const holder = spec?.holderIdentity ?? "";
      return holder !== "" && isWanted(holder) ? holder : undefined;
    },
    { timeoutMs: 120_000, intervalMs: 200 },
  );
}

interface Lease extends KubeObject {
  readonly spec?: { readonly holderIdentity?: string };
}
