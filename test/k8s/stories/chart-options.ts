// What the chart makes of each of its values is what the API server takes: schemas, rules and admission, though nothing is stored.

import { after, suite, test } from "node:test";
import { stringify } from "yaml";
import { eventually } from "../../support/eventually.ts";
import { serviceMonitorDefinition } from "../build/service-monitor.ts";
import { applyFlags } from "../cluster/kube-cluster.ts";
import { chart, createNamespace, deleteNamespaces, type Values } from "../world/world.ts";
import type { PortableStory } from "./story.ts";

/** Where the chart is not installed, so that nothing there is in the way. */
const namespace = "options";

const definition =
  "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/servicemonitors.monitoring.coreos.com";

const everything: Values = {
  namespace: { create: true },
  log: { level: "debug", format: "text" },
  image: { digest: `sha256:${"0".repeat(64)}`, pullSecrets: ["registry"] },
  server: {
    service: {
      type: "LoadBalancer",
      annotations: { "example.test/a": "b" },
      loadBalancerSourceRanges: ["10.0.0.0/8"],
    },
    persistence: { storageClassName: "fast", whenDeleted: "Delete" },
    clusters: { edge: { kubeconfigSecret: "edge" } },
    nodeSelector: { "kubernetes.io/os": "linux" },
    tolerations: [{ operator: "Exists" }],
    affinity: { podAntiAffinity: {} },
    podAnnotations: { "example.test/a": "b" },
  },
  registrar: { ids: ["/ns/**"], privileged: true, ignoreNamespaces: [] },
  bundle: { namespaces: true, clusterTrustBundle: "assay" },
  agent: {
    kubelet: { verify: "node", nodesProxy: true },
    namespaceLabels: true,
    podToken: "required",
    unixSelectors: true,
  },
  networkPolicy: { serverFrom: [{ ipBlock: { cidr: "10.0.0.0/8" } }] },
  metrics: { serviceMonitor: { enabled: true, labels: { a: "b" } }, dashboard: { enabled: true } },
};

const off = { enabled: false };

/** Each switch by itself, and all together. */
const options: Readonly<Record<string, Values>> = {
  "no values": {},
  "everything on": everything,
  "everything off": {
    server: { persistence: off },
    ...{ registrar: off, defaultIdentity: off, admissionPolicy: off, csi: off },
    ...{ podDisruptionBudget: off, networkPolicy: off },
  },
  "only agents": { server: off, agent: { servers: ["assay.example.org:8081"] } },
  "only a server": { agent: { enabled: false }, csi: off },
  "a server without a volume": { server: { persistence: off } },
  "a server at a node's port": { server: { service: { type: "NodePort" } } },
  "no registrar": { registrar: off },
  "no default identity": { defaultIdentity: off },
  "no admission policies": { admissionPolicy: off },
  "no CSI driver": { csi: off },
  "a CSI driver of another name": { csi: { driverName: "csi.example.test" } },
  "no disruption budget": { podDisruptionBudget: off },
  "no network policies": { networkPolicy: off },
  "network policies without metrics": { networkPolicy: { metricsFrom: [] } },
  "agents on the nodes' network": { agent: { hostNetwork: true } },
  "labels of namespaces": { agent: { namespaceLabels: true } },
  "tokens of pods": { agent: { podToken: "required" } },
  "selectors of programs": { agent: { unixSelectors: true } },
  "the kubelet's own certificate": { agent: { kubelet: { verify: "node" } } },
  "kubelets without nodes/pods": { agent: { kubelet: { nodesProxy: true } } },
  "bundles in namespaces": { bundle: { namespaces: true } },
  "a ClusterTrustBundle": { bundle: { clusterTrustBundle: "assay" } },
  monitoring: { metrics: { serviceMonitor: { enabled: true }, dashboard: { enabled: true } } },
};

export function chartOptionStories(story: PortableStory): void {
  suite("the chart's options", { concurrency: 1 }, () => {
    after(async () => {
      await deleteNamespaces(story.cluster, namespace);
      await story.cluster.client.delete(definition);
    });

    test("each of them is taken by the API server as it is, monitors by the definition of the Prometheus operator", async (t) => {
      const { cluster } = story;
      await createNamespace(cluster, namespace, { identities: false });
      await cluster.apply(await serviceMonitorDefinition());
      await eventually("ServiceMonitors", () =>
        cluster.client.get("/apis/monitoring.coreos.com/v1/servicemonitors"),
      );
      const { gitVersion } = await cluster.client.get<{ readonly gitVersion: string }>("/version");
      for (const [name, values] of Object.entries(options)) {
        await t.test(name, async () => {
          const flags = ["--namespace", namespace, "--kube-version", gitVersion, "--values", "-"];
          const input = await cluster.helm(["template", "assay", chart, ...flags], {
            input: stringify({ trustDomain: "example.org", ...values }),
          });
          const dry = ["--dry-run=server", "--validate=strict"];
          await cluster.kubectl([...applyFlags, ...dry], { input });
        });
      }
    });
  });
}
