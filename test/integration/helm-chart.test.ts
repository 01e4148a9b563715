// What the chart makes of values, as Helm renders it: refusals that say what is wrong, and no more
// rights than are meant.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { suite, test } from "node:test";
import { chart } from "../../deploy/helm/manifests.ts";
import { findManifest, helmCommand, helmTemplate, renderChart } from "../support/helm.ts";
import { requires } from "../support/requires.ts";

const refused = [
  { name: "an unknown value", values: { sever: {} }, says: /additional properties 'sever'/ },
  { name: "an unknown value inside", values: { agent: { tokenSecond: 1 } }, says: /'tokenSecond'/ },
  {
    name: "a trust domain with capitals",
    values: { trustDomain: "Example.org" },
    says: /\/trustDomain/,
  },
  { name: "a cluster name with dots", values: { clusterName: "a.b" }, says: /\/clusterName/ },
  {
    name: "a token that lives too short",
    values: { agent: { tokenSeconds: 60 } },
    says: /\/agent\/tokenSeconds.*600/s,
  },
  { name: "a server as root", values: { server: { runAsUser: 0 } }, says: /\/server\/runAsUser/ },
  {
    name: "a cluster without its Secret",
    values: { server: { clusters: { edge: {} } } },
    says: /kubeconfigSecret/,
  },
  {
    name: "an address without port",
    values: { agent: { servers: ["assay"] } },
    says: /\/agent\/servers\/0/,
  },
  {
    name: "a relative folder of the node",
    values: { agent: { hostFolder: "run" } },
    says: /\/agent\/hostFolder/,
  },
  {
    name: "an agent without a server",
    values: { server: { enabled: false } },
    says: /agent\.servers/,
  },
];

suite("chart", () => {
  if (!requires("helm")) return;

  test("passes helm lint", () => {
    const flags = ["lint", chart, "--strict", "--kube-version", "1.34.0"];
    const { status, stdout } = spawnSync(helmCommand, flags, { encoding: "utf8" });
    assert.equal(status, 0, stdout);
  });

  for (const { name, values, says } of refused) {
    test(`refuses ${name}`, () => {
      const { status, stderr } = helmTemplate(values);
      assert.notEqual(status, 0);
      assert.match(stderr, says);
    });
  }

  test("refuses kubelets that know no nodes/pods unless nodes/proxy is asked for", () => {
    const { status, stderr } = helmTemplate({}, "--kube-version", "1.32.0");
    assert.notEqual(status, 0);
    assert.match(stderr, /agent\.kubelet\.nodesProxy/);
    const asked = { agent: { kubelet: { nodesProxy: true } } };
    const agent = findManifest(
      renderChart(asked, "--kube-version", "1.32.0"),
      "ClusterRole",
      "assay-agent",
    );
    assert.deepEqual(agent["rules"][1].resources, ["nodes/proxy"]);
  });

  test("gives an agent one permission, and more only for what is switched on", () => {
    const rulesOf = (values: object): unknown[] =>
      findManifest(renderChart(values), "ClusterRole", "assay-agent")["rules"];
    assert.deepEqual(rulesOf({}), [{ apiGroups: [""], resources: ["nodes/pods"], verbs: ["get"] }]);
    assert.equal(rulesOf({ agent: { namespaceLabels: true } }).length, 2);
  });

  test("lets a server write nothing but status and its own ConfigMap and Lease", () => {
    const manifests = renderChart();
    const writing = ["ClusterRole", "Role"].flatMap((kind) =>
      findManifest(manifests, kind, "assay-server")["rules"].filter((rule: { verbs: string[] }) =>
        rule.verbs.some((verb) => !["get", "list", "watch"].includes(verb)),
      ),
    );
    for (const { resources, resourceNames, verbs } of writing) {
      const harmless =
        resources.every((name: string) => name.endsWith("/status")) ||
        resourceNames !== undefined ||
        // Making an object cannot be limited to a name.
        verbs.join() === "create";
      assert.ok(harmless, JSON.stringify({ resources, verbs }));
    }
    assert.deepEqual(
      manifests
        .filter(({ kind }) => kind === "ClusterRole")
        .flatMap(({ rules }) => rules)
        .flatMap(({ resources, verbs }) => [...resources, ...verbs])
        .filter((word) => word === "*" || word === "secrets"),
      [],
    );
  });

  test("runs the server as nobody and the agent without capabilities", () => {
    const manifests = renderChart();
    const server = findManifest(manifests, "StatefulSet", "assay-server")["spec"].template.spec;
    const agent = findManifest(manifests, "DaemonSet", "assay-agent")["spec"].template.spec;
    assert.equal(server.securityContext.runAsNonRoot, true);
    for (const { containers, securityContext } of [server, agent]) {
      assert.equal(securityContext.seccompProfile.type, "RuntimeDefault");
      const [{ securityContext: own }] = containers;
      assert.deepEqual(own.capabilities, { drop: ["ALL"] });
      assert.equal(own.allowPrivilegeEscalation, false);
      assert.equal(own.readOnlyRootFilesystem, true);
      assert.equal(own.privileged, undefined);
    }
  });

  test("gives the CSI driver neither rights in the cluster nor a network", () => {
    const manifests = renderChart();
    const driver = findManifest(manifests, "DaemonSet", "assay-csi")["spec"].template.spec;
    assert.equal(driver.automountServiceAccountToken, false);
    assert.deepEqual(findManifest(manifests, "NetworkPolicy", "assay-csi")["spec"].egress, []);
    const bound = manifests
      .filter(({ kind }) => kind.endsWith("RoleBinding"))
      .flatMap(({ subjects }) => subjects);
    assert.equal(bound.filter(({ name }) => name === "assay-csi").length, 0);
  });

  test("changes the pods when their settings change, and not otherwise", () => {
    const checksum = (values: object): string =>
      findManifest(renderChart(values), "StatefulSet", "assay-server")["spec"].template.metadata
        .annotations["checksum/config"];
    assert.equal(checksum({}), checksum({ agent: { namespaceLabels: true } }));
    assert.notEqual(checksum({}), checksum({ log: { level: "debug" } }));
  });

  test("renders everything that can be switched on", () => {
    const kinds = renderChart({
      metrics: { serviceMonitor: { enabled: true }, dashboard: { enabled: true } },
      namespace: { create: true },
      bundle: { namespaces: true },
    }).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    assert.equal(new Set(kinds).size, kinds.length, "no object twice");
    for (const each of [
      "ServiceMonitor assay",
      "ConfigMap assay-dashboard",
      "Namespace assay-system",
    ]) {
      assert.ok(kinds.includes(each), each);
    }
  });
});
