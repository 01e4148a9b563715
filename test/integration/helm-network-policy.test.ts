// What the chart's network policies let through, against the connections that its parts make by the settings it gives them.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "yaml";
import { findManifest, type Manifest, renderChart } from "../support/helm.ts";
import { type Edge, isAllowed, type Peer, type PodPeer } from "../support/network-policies.ts";
import { requires } from "../support/requires.ts";

const NAMESPACE = "assay-system";
const prometheus: PodPeer = { namespace: "monitoring", labels: { app: "prometheus" } };
const stranger: PodPeer = { namespace: "shop", labels: { app: "web" } };
const dns: PodPeer = { namespace: "kube-system", labels: { "k8s-app": "kube-dns" } };
/** Neither is a pod: an address of a machine, whatever it is. */
const apiServer: Peer = "outside";
const kubelet: Peer = "outside";

/** The pods of a part, as its workload makes them. */
function podsOf(manifests: readonly Manifest[], kind: string, name: string): PodPeer {
  const { metadata, spec } = findManifest(manifests, kind, name)["spec"].template;
  const ports = spec.containers.flatMap(
    (container: { ports?: { name: string; containerPort: number }[] }) => container.ports ?? [],
  );
  return {
    namespace: NAMESPACE,
    labels: metadata.labels,
    ports: Object.fromEntries(
      ports.map((port: { name: string; containerPort: number }) => [port.name, port.containerPort]),
    ),
  };
}

function configOf(manifests: readonly Manifest[], name: string) {
  const [text = ""] = Object.values<string>(findManifest(manifests, "ConfigMap", name)["data"]);
  return parse(text);
}

interface Parts {
  readonly policies: readonly Manifest[];
  readonly server: PodPeer;
  readonly agent: PodPeer;
  readonly csi: PodPeer;
  /** What has to work, by what it is for. */
  readonly needed: Readonly<Record<string, Edge>>;
}

/** The parts, and the connections that follow from the configuration each of them reads. */
function partsOf(values: object = {}): Parts {
  const manifests = renderChart(values);
  const server = podsOf(manifests, "StatefulSet", "assay-server");
  const agent = podsOf(manifests, "DaemonSet", "assay-agent");
  const csi = podsOf(manifests, "DaemonSet", "assay-csi");
  const serverConfig = configOf(manifests, "assay-server");
  const agentConfig = configOf(manifests, "assay-agent");
  const csiConfig = configOf(manifests, "assay-csi");
  const { podToken, namespaceLabels } = agentConfig.workloadAttestors.k8s;
  const asksApi = namespaceLabels === true || (podToken?.mode ?? "off") !== "off";
  const tcp = (from: Peer, to: Peer, port: number): Edge => ({ from, to, port, protocol: "TCP" });
  const udp = (from: Peer, to: Peer, port: number): Edge => ({ from, to, port, protocol: "UDP" });
  return {
    policies: manifests.filter(({ kind }) => kind === "NetworkPolicy"),
    server,
    agent,
    csi,
    needed: {
      "an agent and the server": tcp(agent, server, serverConfig.listen.port),
      "an agent and its kubelet": tcp(agent, kubelet, 10250),
      "an agent and DNS": udp(agent, dns, 53),
      "an agent and DNS, long answers": tcp(agent, dns, 53),
      ...(asksApi && {
        "an agent and the API server": tcp(agent, apiServer, 6443),
        "an agent and the API server's Service": tcp(agent, apiServer, 443),
      }),
      "the server and the API server": tcp(server, apiServer, 6443),
      "the server and the API server's Service": tcp(server, apiServer, 443),
      "the server and DNS": udp(server, dns, 53),
      "Prometheus and the server": tcp(prometheus, server, serverConfig.observability.port),
      "Prometheus and an agent": tcp(prometheus, agent, agentConfig.observability.port),
      "Prometheus and a driver": tcp(prometheus, csi, csiConfig.observability.port),
    },
  };
}

const settings: Readonly<Record<string, object>> = {
  "as it comes": {},
  "labels of namespaces": { agent: { namespaceLabels: true } },
  "pods' own tokens": { agent: { podToken: "required" } },
  "pods' own tokens for sandboxes": { agent: { podToken: "fallback" } },
  "a server that is reached from outside": { server: { service: { type: "LoadBalancer" } } },
};

suite("network policies of the chart", () => {
  if (!requires("helm")) return;

  for (const [name, values] of Object.entries(settings)) {
    test(`let through what the parts need: ${name}`, () => {
      const { policies, needed } = partsOf(values);
      for (const [what, edge] of Object.entries(needed)) {
        assert.ok(isAllowed(policies, edge), what);
      }
    });
  }

  test("let nothing else through", () => {
    const { policies, server, agent, csi } = partsOf();
    const parts = { server, agent, csi };
    for (const [name, part] of Object.entries(parts)) {
      for (const port of Object.values(part.ports ?? {})) {
        for (const from of [stranger, "outside"] as const) {
          assert.ok(!isAllowed(policies, { from, to: part, port, protocol: "TCP" }), name);
        }
      }
      const toWorkload: Edge = { from: part, to: stranger, port: 8080, protocol: "TCP" };
      assert.ok(!isAllowed(policies, toWorkload), name);
    }
    const tcp = (from: Peer, to: Peer, port: number) =>
      isAllowed(policies, { from, to, port, protocol: "TCP" });
    assert.ok(!tcp(agent, apiServer, 443), "an agent that needs no API server");
    assert.ok(!tcp(agent, apiServer, 6443), "an agent that needs no API server");
    assert.ok(!tcp(prometheus, server, 8081), "Prometheus at the API");
    assert.ok(!tcp(csi, server, 8081), "a driver at the API");
    assert.ok(!tcp(csi, apiServer, 443), "a driver at the API server");
    assert.ok(!tcp(server, kubelet, 10250), "the server at a kubelet");
    assert.ok(!tcp(server, agent, 8083), "the server at an agent");
  });

  test("take what an operator adds for the server", () => {
    const gateway = {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "edge" } },
    };
    const { policies, server } = partsOf({
      networkPolicy: {
        serverIngress: [{ from: [gateway], ports: [{ port: 8443, protocol: "TCP" }] }],
        serverEgress: [{ ports: [{ port: 9443, protocol: "TCP" }] }],
      },
    });
    const edge = (from: Peer, to: Peer, port: number): boolean =>
      isAllowed(policies, { from, to, port, protocol: "TCP" });
    assert.ok(edge({ namespace: "edge", labels: {} }, server, 8443));
    assert.ok(!edge(stranger, server, 8443));
    assert.ok(edge(server, "outside", 9443));
    assert.ok(!edge(server, "outside", 9444));
  });
});
