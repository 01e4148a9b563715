import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { rawResource, resource } from "../../../test/support/cluster-objects.ts";
import { parseGoDuration } from "./go-duration.ts";
import { parseResource } from "./parse-resource.ts";
import type { ResourceKind } from "./resource.ts";

function problemsOf(kind: ResourceKind, spec: object, metadata: object = {}): readonly string[] {
  const reading = parseResource(kind, rawResource(kind, "x", spec, metadata), "example.test");
  assert.ok(!reading.ok);
  return reading.problems.map(({ path, message }) => `${path}: ${message}`);
}

const template = "spiffe://example.test/x";

describe("parseResource", () => {
  it("reads every field of a ClusterSPIFFEID", () => {
    const read = resource("ClusterSPIFFEID", "web", {
      spiffeIDTemplate: "spiffe://{{ .TrustDomain }}/{{ .PodMeta.Name }}",
      podSelector: { matchLabels: { app: "web" } },
      namespaceSelector: { matchExpressions: [{ key: "env", operator: "Exists" }] },
      dnsNameTemplates: ["{{ .PodMeta.Name }}.example.test"],
      workloadSelectorTemplates: ["k8s:container-name:main"],
      ttl: "1h30m0s",
      jwtTtl: "5m",
      federatesWith: ["b.test", "a.test", "b.test"],
      admin: true,
      downstream: true,
      autoPopulateDNSNames: true,
      fallback: true,
      hint: "internal",
      className: "blue",
    });
    assert.ok(read.kind === "ClusterSPIFFEID");
    assert.equal(read.x509SvidTtlSeconds, 5400);
    assert.equal(read.jwtSvidTtlSeconds, 300);
    assert.deepEqual(read.federatesWith, ["a.test", "b.test"]);
    assert.ok(read.isFallback && read.admin && read.downstream && read.autoPopulateDnsNames);
    assert.deepEqual([read.hint, read.className], ["internal", "blue"]);
  });

  it("reads every field of a ClusterStaticEntry", () => {
    const read = resource("ClusterStaticEntry", "vm", {
      spiffeID: "spiffe://example.test/vm",
      parentID: "spiffe://example.test/spire/agent/x509pop/1",
      selectors: ["unix:uid:1000", "unix:gid:1000"],
      federatesWith: ["other.test"],
      x509SVIDTTL: "2h",
      jwtSVIDTTL: "10m",
      dnsNames: ["vm.example.test"],
      hint: "h",
      admin: true,
      downstream: true,
      storeSVID: true,
      className: "c",
    });
    assert.ok(read.kind === "ClusterStaticEntry");
    assert.deepEqual(read.selectors, [
      { type: "unix", value: "gid:1000" },
      { type: "unix", value: "uid:1000" },
    ]);
    assert.equal(read.x509SvidTtlSeconds, 7200);
    assert.ok(read.storeSvid);
  });

  it("reads every field of a ClusterFederatedTrustDomain", () => {
    const read = resource("ClusterFederatedTrustDomain", "other", {
      trustDomain: "other.test",
      bundleEndpointURL: "https://other.test/bundle",
      bundleEndpointProfile: {
        type: "https_spiffe",
        endpointSPIFFEID: "spiffe://other.test/bundle",
      },
      trustDomainBundle: "{}",
    });
    assert.ok(read.kind === "ClusterFederatedTrustDomain");
    assert.equal(read.profile.type, "https_spiffe");
  });

  it("keeps a WorkloadIdentity below its namespace", () => {
    const read = resource("WorkloadIdentity", "web", { pathTemplate: "x/{{ .PodMeta.Name }}" });
    assert.ok(read.kind === "WorkloadIdentity");
    assert.equal(read.idPrefix, "spiffe://example.test/ns/shop/");
    assert.equal(read.onlyNamespace, "shop");
    assert.deepEqual([read.admin, read.downstream, read.dnsNameTemplates], [false, false, []]);
  });

  const wrong: readonly (readonly [ResourceKind, object, readonly string[]])[] = [
    ["ClusterSPIFFEID", {}, ["spec.spiffeIDTemplate: is required"]],
    ["ClusterSPIFFEID", { spiffeIDTemplate: "" }, ["spec.spiffeIDTemplate: expected a template"]],
    [
      "ClusterSPIFFEID",
      { spiffeIDTemplate: "{{ .Nope }}", ttl: "soon", spiffeIdTemplate: "x" },
      [
        'spec.spiffeIDTemplate: column 4: there is no field "Nope" in the template\'s data; there are: TrustDomain, ClusterName, ClusterDomain, PodMeta, PodSpec, NodeMeta, NodeSpec',
        'spec.ttl: expected a duration such as "1h30m"',
        'spec.spiffeIdTemplate: unknown key, did you mean "spiffeIDTemplate"?',
      ],
    ],
    [
      "ClusterSPIFFEID",
      { spiffeIDTemplate: template, federatesWith: ["example.test"] },
      ["spec.federatesWith: expected another trust domain than the server's own"],
    ],
    [
      "ClusterStaticEntry",
      { spiffeID: "http://x", parentID: template, selectors: ["nocolon"] },
      [
        'spec.spiffeID: SPIFFE ID must begin with "spiffe://"',
        'spec.selectors[0]: expected a selector such as "k8s:ns:shop"',
      ],
    ],
    [
      "ClusterFederatedTrustDomain",
      {
        trustDomain: "other.test",
        bundleEndpointURL: "https://user@other.test",
        bundleEndpointProfile: { type: "https_web" },
      },
      ["spec.bundleEndpointURL: expected an https URL without user information"],
    ],
    ["WorkloadIdentity", { admin: true }, ["spec.admin: unknown key"]],
    [
      "WorkloadIdentity",
      { dnsNameTemplates: ["bank.test"] },
      ["spec.dnsNameTemplates: unknown key"],
    ],
  ];
  for (const [kind, spec, problems] of wrong) {
    it(`says what is wrong: ${problems[0]}`, () => {
      assert.deepEqual([...problemsOf(kind, spec)].sort(), [...problems].sort());
    });
  }

  const classes: readonly (readonly [string, unknown, string])[] = [
    ["its class", { className: "blue", ttl: "soon" }, "blue"],
    ["no class where there is none", {}, ""],
    ["no class where that is wrong", { className: 7 }, ""],
    ["no class without a specification", null, ""],
  ];
  for (const [name, spec, className] of classes) {
    it(`says of a resource that it cannot read ${name}`, () => {
      const raw = { ...rawResource("ClusterSPIFFEID", "x", {}), spec };
      const reading = parseResource("ClusterSPIFFEID", raw, "example.test");
      assert.ok(!reading.ok);
      assert.equal(reading.className, className);
    });
  }

  it("gives a result whatever a resource says", () => {
    const kinds = fc.constantFrom<ResourceKind>(
      "ClusterSPIFFEID",
      "ClusterStaticEntry",
      "ClusterFederatedTrustDomain",
      "WorkloadIdentity",
    );
    fc.assert(
      fc.property(kinds, fc.jsonValue(), (kind, spec) => {
        const raw = { ...rawResource(kind, "x", {}), spec };
        assert.equal(typeof parseResource(kind, raw, "example.test").ok, "boolean");
      }),
    );
  });
});

describe("parseGoDuration", () => {
  for (const [text, seconds] of [
    ["0", 0],
    ["0s", 0],
    ["1h0m0s", 3600],
    ["1.5h", 5400],
    ["90s", 90],
    ["1500ms", 1],
    ["24h", 86_400],
    ["", undefined],
    ["-1h", undefined],
    ["1d", undefined],
    ["1 h", undefined],
    ["h", undefined],
  ] as const) {
    it(`reads ${JSON.stringify(text)} as ${seconds}`, () => {
      assert.equal(parseGoDuration(text), seconds);
    });
  }
});
