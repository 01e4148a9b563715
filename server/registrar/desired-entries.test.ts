import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  clusterSpiffeId,
  clusterStaticEntry,
  namespace,
  node,
  pod,
  registrarRules,
  service,
  workloadIdentity,
} from "../../test/support/cluster-objects.ts";
import type { Pod } from "../k8s/objects/pod.ts";
import { desiredEntries, needsServices, staticEntry } from "./desired-entries.ts";
import type { DesiredEntry } from "./desired-entry.ts";
import type { PodSurroundings } from "./pod-surroundings.ts";
import type { RegistrarRules } from "./registrar-rules.ts";
import type { PodRule } from "./resources/pod-rule.ts";

function around(of: Pod, changes: Partial<PodSurroundings> = {}): PodSurroundings {
  return {
    pod: of,
    node: node(),
    namespace: namespace(of.namespace),
    services: [],
    lookupOwner: () => undefined,
    ...changes,
  };
}

function outcomesOf(
  rules: readonly PodRule[],
  surroundings: PodSurroundings,
  settings: RegistrarRules = registrarRules(),
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    desiredEntries(rules, surroundings, settings).map((outcome) => [
      outcome.rule.meta.name,
      outcome.kind === "entry"
        ? outcome.entry.spiffeId
        : outcome.kind === "failed"
          ? outcome.message
          : outcome.kind,
    ]),
  );
}

function onlyEntry(rule: PodRule, surroundings: PodSurroundings): DesiredEntry {
  const [outcome] = desiredEntries([rule], surroundings, registrarRules());
  assert.ok(outcome?.kind === "entry", JSON.stringify(outcome));
  return outcome.entry;
}

describe("desiredEntries", () => {
  it("gives a pod the identity of its service account, on its own node only", () => {
    const rule = clusterSpiffeId("default", { ttl: "1h", hint: "h", federatesWith: ["b.test"] });
    assert.deepEqual(onlyEntry(rule, around(pod("web-1"))), {
      spiffeId: "spiffe://example.test/ns/shop/sa/web",
      parentId: "spiffe://example.test/spire/agent/k8s_psat/east/uid-node-1",
      selectors: [{ type: "k8s", value: "pod-uid:uid-web-1" }],
      x509SvidTtlSeconds: 3600,
      jwtSvidTtlSeconds: 0,
      federatesWith: ["b.test"],
      admin: false,
      downstream: false,
      storeSvid: false,
      dnsNames: [],
      hint: "h",
      owner: "unowned",
      labels: {
        "assay.dev/cluster-uid": "uid-kube-system",
        "assay.dev/namespace": "shop",
        "assay.dev/pod": "web-1",
        "assay.dev/root-owner": "Pod/shop/web-1",
      },
      origin: {
        kind: "ClusterSPIFFEID",
        cluster: "east",
        namespace: "",
        name: "default",
        uid: "uid-ClusterSPIFFEID-default",
        generation: 1,
      },
    });
  });

  it("adds selectors and DNS names by template, each once", () => {
    const rule = clusterSpiffeId("dns", {
      workloadSelectorTemplates: ["k8s:container-name:{{ .PodMeta.Labels.app }}"],
      dnsNameTemplates: ["{{ .PodMeta.Name }}.shop", "WEB-1.shop", "b.shop"],
      autoPopulateDNSNames: true,
    });
    const services = [
      service("web", { app: "web" }),
      service("api", { app: "api" }),
      service("x", {}),
    ];
    const entry = onlyEntry(rule, around(pod("web-1"), { services }));
    assert.deepEqual(entry.selectors, [
      { type: "k8s", value: "container-name:web" },
      { type: "k8s", value: "pod-uid:uid-web-1" },
    ]);
    assert.deepEqual(entry.dnsNames, [
      "web-1.shop",
      "b.shop",
      "web",
      "web.shop",
      "web.shop.svc",
      "web.shop.svc.cluster.local",
    ]);
  });

  it("gives no DNS names of services that are not known yet, and says so", () => {
    const rule = clusterSpiffeId("x", { autoPopulateDNSNames: true });
    const surroundings = around(pod("p"), { services: undefined });
    assert.match(outcomesOf([rule], surroundings)["x"] ?? "", /services .* are not known yet/);
    assert.equal(needsServices([rule], surroundings, registrarRules()), true);
    assert.equal(needsServices([clusterSpiffeId("y")], surroundings, registrarRules()), false);
    assert.equal(needsServices([rule], around(pod("p")), registrarRules()), false);
  });

  const rules: readonly {
    readonly name: string;
    readonly rule: PodRule;
    readonly selects: boolean;
  }[] = [
    { name: "every pod", rule: clusterSpiffeId("x"), selects: true },
    {
      name: "by pod label",
      rule: clusterSpiffeId("x", { podSelector: { matchLabels: { app: "web" } } }),
      selects: true,
    },
    {
      name: "by another pod label",
      rule: clusterSpiffeId("x", { podSelector: { matchLabels: { app: "api" } } }),
      selects: false,
    },
    {
      name: "by a namespace label",
      rule: clusterSpiffeId("x", { namespaceSelector: { matchLabels: { env: "prod" } } }),
      selects: false,
    },
    { name: "by its own namespace", rule: workloadIdentity("x"), selects: true },
    {
      name: "by the namespace of somebody else",
      rule: workloadIdentity("x", {}, { namespace: "bank" }),
      selects: false,
    },
  ];
  for (const { name, rule, selects } of rules) {
    it(`${selects ? "selects" : "leaves alone"}: ${name}`, () => {
      assert.equal(Object.keys(outcomesOf([rule], around(pod("p")))).length, selects ? 1 : 0);
    });
  }

  const lives: readonly { readonly name: string; readonly pod: Pod; readonly has: boolean }[] = [
    { name: "runs", pod: pod("p"), has: true },
    { name: "has not started", pod: pod("p", { status: { phase: "Pending" } }), has: true },
    { name: "has succeeded", pod: pod("p", { status: { phase: "Succeeded" } }), has: false },
    { name: "has failed", pod: pod("p", { status: { phase: "Failed" } }), has: false },
    {
      name: "is being deleted and still runs",
      pod: pod("p", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }),
      has: true,
    },
    {
      name: "is being deleted and has stopped",
      pod: pod("p", {
        metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" },
        status: { containerStatuses: [{ name: "main", state: { terminated: {} } }] },
      }),
      has: false,
    },
  ];
  for (const { name, pod: of, has } of lives) {
    it(`gives ${has ? "an" : "no"} entry to a pod that ${name}`, () => {
      const [outcome] = desiredEntries([clusterSpiffeId("x")], around(of), registrarRules());
      assert.equal(outcome?.kind, has ? "entry" : "nothing");
    });
  }

  it("waits for the pod's node", () => {
    const outcomes = outcomesOf([clusterSpiffeId("x")], around(pod("p"), { node: undefined }));
    assert.deepEqual(outcomes, { x: "nothing" });
  });

  it("leaves ignored namespaces alone", () => {
    const system = pod("p", { metadata: { namespace: "kube-system" } });
    assert.deepEqual(outcomesOf([clusterSpiffeId("x")], around(system)), {});
  });

  it("uses a fallback only where nothing else gives an identity", () => {
    const fallback = clusterSpiffeId("fallback", { fallback: true });
    const web = clusterSpiffeId("web", {
      spiffeIDTemplate: "spiffe://example.test/ns/shop/web",
      podSelector: { matchLabels: { app: "web" } },
    });
    assert.deepEqual(outcomesOf([fallback, web], around(pod("p"))), {
      web: "spiffe://example.test/ns/shop/web",
      fallback: "nothing",
    });
    const broken = clusterSpiffeId("web", { spiffeIDTemplate: "{{ .PodSpec.Hostname }}" });
    assert.equal(
      outcomesOf([fallback, broken], around(pod("p")))["fallback"],
      "spiffe://example.test/ns/shop/sa/web",
    );
  });

  it("lets the older of two resources have the very same entry, and both when they differ", () => {
    const younger = clusterSpiffeId("a", {}, { creationTimestamp: "2026-02-01T00:00:00Z" });
    const older = clusterSpiffeId("b", {}, { creationTimestamp: "2026-01-01T00:00:00Z" });
    const other = workloadIdentity("c", { pathTemplate: "c" });
    assert.deepEqual(outcomesOf([younger, older, other], around(pod("p"))), {
      a: "masked",
      b: "spiffe://example.test/ns/shop/sa/web",
      c: "spiffe://example.test/ns/shop/c",
    });
  });

  const hostile: readonly (readonly [string, object, RegExp])[] = [
    [
      "an ID of another trust domain",
      { spiffeIDTemplate: "spiffe://bank.test/ns/x" },
      /not of the trust domain/,
    ],
    [
      "an ID under /spire",
      { spiffeIDTemplate: "spiffe://example.test/spire/server" },
      /must not be under \/spire/,
    ],
    [
      "an ID outside of the pattern",
      { spiffeIDTemplate: "spiffe://example.test/root" },
      /outside of the registrar's scope/,
    ],
    ["no path", { spiffeIDTemplate: "spiffe://example.test" }, /has no path/],
    ["no ID at all", { spiffeIDTemplate: "x" }, /spiffeIDTemplate: SPIFFE ID must begin/],
    [
      "an empty segment",
      { spiffeIDTemplate: "spiffe://example.test/ns/{{ .PodSpec.Hostname }}/x" },
      /spiffeIDTemplate: /,
    ],
    [
      "an ID that is too long",
      { spiffeIDTemplate: `spiffe://example.test/ns/${"x".repeat(2048)}` },
      /longer than 2048 bytes/,
    ],
    ["the flag admin", { admin: true }, /needs the role key-admin/],
    ["the flag downstream", { downstream: true }, /needs the role key-admin/],
    [
      "a DNS name that is none",
      { dnsNameTemplates: ["a_b"] },
      /dnsNameTemplates\[0\]: "a_b": must be a DNS name/,
    ],
    [
      "a selector that is none",
      { workloadSelectorTemplates: ["{{ .PodMeta.Name }}"] },
      /workloadSelectorTemplates\[0\]: expected a selector/,
    ],
    [
      "a selector of another pod",
      { workloadSelectorTemplates: ["k8s:pod-uid:0"] },
      /workloadSelectorTemplates\[0\]: expected no k8s:pod-uid selector of another pod/,
    ],
  ];
  for (const [name, spec, message] of hostile) {
    it(`fails, and says why, for ${name}`, () => {
      const { x = "" } = outcomesOf([clusterSpiffeId("x", spec)], around(pod("p")));
      assert.match(x, message);
    });
  }

  it("lets a template of a tenant reach nothing outside of his namespace", () => {
    const path = fc.oneof(
      fc.string(),
      fc.constantFrom(
        "../bank/x",
        "/x",
        "a//b",
        "..",
        "%2e%2e/x",
        "{{ .PodMeta.Labels.app }}/../../x",
      ),
    );
    fc.assert(
      fc.property(path, (pathTemplate) => {
        let rule: PodRule;
        try {
          rule = workloadIdentity("x", { pathTemplate });
        } catch {
          return;
        }
        const [outcome] = desiredEntries([rule], around(pod("p")), registrarRules());
        if (outcome?.kind !== "entry") return;
        assert.match(outcome.entry.spiffeId, /^spiffe:\/\/example\.test\/ns\/shop\/[^/]/);
        assert.ok(!outcome.entry.spiffeId.includes(".."));
      }),
    );
  });

  it("takes names at their length limits", () => {
    const longest = pod("x".repeat(253), {
      metadata: { namespace: "n".repeat(63), uid: "u" },
      spec: { serviceAccountName: "s".repeat(253) },
    });
    const { x = "" } = outcomesOf([clusterSpiffeId("x")], around(longest));
    assert.equal(x, `spiffe://example.test/ns/${"n".repeat(63)}/sa/${"s".repeat(253)}`);
  });

  it("marks what rests on something that a tenant can set", () => {
    const rule = clusterSpiffeId("x", {
      spiffeIDTemplate: "spiffe://example.test/ns/{{ .PodMeta.Labels.team }}",
      podSelector: { matchLabels: { app: "web" } },
    });
    const entry = onlyEntry(
      rule,
      around(pod("p", { metadata: { labels: { app: "web", team: "a" } } })),
    );
    assert.equal(
      entry.labels["assay.dev/rests-on"],
      "pod label app, PodMeta.Labels.team in the SPIFFE ID",
    );
  });
});

describe("the owner of an entry", () => {
  const replicaSet = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    name: "web-5d4",
    uid: "rs",
    controller: true,
  };
  const owned = {
    ownerReferences: [replicaSet],
    labels: { app: "web", "pod-template-hash": "5d4" },
  };
  const cases: readonly {
    readonly name: string;
    readonly metadata: object;
    readonly namespaceLabels?: Record<string, string>;
    readonly owner: string;
  }[] = [
    {
      name: "the pod's label",
      metadata: { ...owned, labels: { app: "web", "assay.dev/owner": "team-a" } },
      namespaceLabels: { "assay.dev/owner": "team-b" },
      owner: "team-a",
    },
    {
      name: "the namespace's label",
      metadata: { ...owned, annotations: { "meta.helm.sh/release-name": "shop" } },
      namespaceLabels: { "assay.dev/owner": "team-b" },
      owner: "team-b",
    },
    {
      name: "the Helm release",
      metadata: { ...owned, annotations: { "meta.helm.sh/release-name": "web" } },
      owner: "helm/shop/web",
    },
    {
      name: "the Argo CD application",
      metadata: {
        ...owned,
        annotations: { "argocd.argoproj.io/tracking-id": "front:apps/Deployment:shop/web" },
      },
      owner: "argocd/front",
    },
    { name: "the Deployment of its ReplicaSet", metadata: owned, owner: "Deployment/shop/web" },
    {
      name: "a ReplicaSet that no Deployment made",
      metadata: { ...owned, labels: {} },
      owner: "ReplicaSet/shop/web-5d4",
    },
    { name: "nobody", metadata: {}, owner: "unowned" },
  ];
  for (const { name, metadata, namespaceLabels, owner } of cases) {
    it(`is ${name}`, () => {
      const surroundings = around(pod("p", { metadata }), {
        namespace: namespace("shop", namespaceLabels),
      });
      assert.equal(onlyEntry(clusterSpiffeId("x"), surroundings).owner, owner);
    });
  }

  it("is at the root of the owners that are known", () => {
    const deployment = { ...replicaSet, kind: "Deployment", name: "web", uid: "d" };
    const known = { ...namespace("x"), ownerReferences: [deployment], annotations: {} };
    const surroundings = around(pod("p", { metadata: owned }), {
      lookupOwner: ({ kind }) => (kind === "ReplicaSet" ? known : undefined),
    });
    const entry = onlyEntry(clusterSpiffeId("x"), surroundings);
    assert.equal(entry.labels["assay.dev/root-owner"], "Deployment/shop/web");
  });
});

describe("staticEntry", () => {
  const entryOf = (changes: object) =>
    staticEntry(clusterStaticEntry("x", changes), registrarRules());

  it("is the entry that the resource spells out", () => {
    const entry = entryOf({ x509SVIDTTL: "1h" });
    assert.ok("spiffeId" in entry);
    assert.equal(entry.spiffeId, "spiffe://example.test/ns/vm");
    assert.equal(entry.owner, "ClusterStaticEntry x");
  });

  it("stays within the registrar's scope", () => {
    const outside = entryOf({ parentID: "spiffe://example.test/spire/agent/k8s_psat/west/n1" });
    assert.ok("message" in outside);
    assert.match(outside.message, /parent ID is outside of the registrar's scope/);
  });
});
