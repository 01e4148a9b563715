import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import {
  type CertificateValidationContext,
  SubjectAltNameMatcher_SanType,
} from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import {
  type Secret,
  SecretSchema,
} from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { SPIFFECertValidatorConfigSchema } from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts";
import { DiscoveryRequestSchema } from "../../../proto/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { BundleSchema } from "../../../proto/gen/spire/api/types/bundle_pb.ts";
import { StatusError } from "../../../runtime/errors/status-error.ts";
import { FederationLimits } from "../../../spiffe/bundle/federation-limits.ts";
import { IdPattern } from "../../../spiffe/id/id-pattern.ts";
import { parseCertificatesPem } from "../../../spiffe/x509/certificate-pem.ts";
import { FakeWorkloadViews } from "../../../test/fakes/fake-workload-views.ts";
import { TestAuthority } from "../../../test/support/test-ca.ts";
import { CachedBundle } from "../../cache/bundle-cache.ts";
import type { WorkloadView } from "../../cache/workload-view.ts";
import { sdsSchema } from "../../config/sds-settings.ts";
import { SecretSource } from "./secret-source.ts";
import { type Rejection, SecretStream, type SecretsResponse } from "./secret-stream.ts";

type Request = Extract<MessageInitShape<typeof DiscoveryRequestSchema>, { $typeName?: never }>;

const metadata = { role: "edge" };
const version = { majorNumber: 1, minorNumber: 40, patch: 0 };
const envoy = {
  id: "edge-1",
  metadata,
  userAgentVersionType: { case: "userAgentBuildVersion" as const, value: { version } },
};

class World {
  readonly views: FakeWorkloadViews = new FakeWorkloadViews();
  readonly source: SecretSource = new SecretSource(sdsSchema.parse({}));
  readonly rejections: Rejection[] = [];

  stream(first: Request = {}, disableSpiffeValidator = false): SecretStream {
    const stream = new SecretStream({
      source: this.source,
      disableSpiffeValidator,
      onRejected: (rejection) => this.rejections.push(rejection),
    });
    take(stream, { ...first, node: first.node ?? envoy });
    return stream;
  }

  get view(): WorkloadView {
    return this.views.openX509({ selectors: [], instance: { uid: 0 } as never }).feed.value;
  }
}

function take(stream: SecretStream, request: Request): void {
  stream.take(create(DiscoveryRequestSchema, request));
}

/** By name. */
function secretsIn(response: SecretsResponse | undefined): Map<string, Secret> {
  const secrets = (response?.resources ?? []).map((any) => anyUnpack(any, SecretSchema));
  return new Map(secrets.map((secret) => [secret?.name ?? "", secret as Secret]));
}

/** PEM of the certificates in a secret, whatever it is for. */
function pemIn(secret: Secret | undefined): string {
  const { type } = secret ?? {};
  const source =
    type?.case === "tlsCertificate" ? type.value.certificateChain : type?.value?.trustedCa;
  assert.equal(source?.specifier.case, "inlineBytes");
  return new TextDecoder().decode(source.specifier.value);
}

function idIn(secret: Secret | undefined): string | undefined {
  assert.equal(secret?.type.case, "tlsCertificate");
  return parseCertificatesPem(pemIn(secret))[0]?.spiffeId?.toString();
}

function contextIn(secret: Secret | undefined): CertificateValidationContext {
  assert.equal(secret?.type.case, "validationContext");
  return secret.type.value;
}

/** Trust domains of the SPIFFE validator. */
function domainsIn(secret: Secret | undefined): string[] | undefined {
  const config = contextIn(secret).customValidatorConfig?.typedConfig;
  const unpacked = config && anyUnpack(config, SPIFFECertValidatorConfigSchema);
  return unpacked?.trustDomains.map(({ name }) => name);
}

function foreignBundle(trustDomain: string, limits?: FederationLimits): CachedBundle {
  const x509Authorities = [{ asn1: TestAuthority.root().der }];
  return new CachedBundle(create(BundleSchema, { trustDomain, x509Authorities }), limits);
}

describe("SecretStream", () => {
  it("answers the names of SPIRE, IDs and trust domains", () => {
    const world = new World();
    world.views.grant("/web", "/db");
    const names = ["default", "ROOTCA", "ALL", "spiffe://td.test/db", "spiffe://td.test"];
    const secrets = secretsIn(world.stream({ resourceNames: names }).answer(world.view));
    assert.deepEqual([...secrets.keys()], names);
    assert.equal(idIn(secrets.get("default")), "spiffe://td.test/web");
    assert.equal(idIn(secrets.get("spiffe://td.test/db")), "spiffe://td.test/db");
    for (const name of ["ROOTCA", "ALL", "spiffe://td.test"]) {
      assert.deepEqual(domainsIn(secrets.get(name)), ["td.test"]);
    }
  });

  it("answers a request without names with everything", () => {
    const world = new World();
    world.views.grant("/web", "/db");
    const secrets = secretsIn(world.stream().answer(world.view));
    assert.deepEqual(
      [...secrets.keys()],
      ["spiffe://td.test/web", "spiffe://td.test/db", "spiffe://td.test"],
    );
  });

  it("sends what changed, and nothing else", () => {
    const world = new World();
    world.views.grant("/web");
    const stream = world.stream({ resourceNames: ["default", "ROOTCA"] });
    const first = stream.answer(world.view);
    take(stream, { resourceNames: ["default", "ROOTCA"], responseNonce: first?.nonce ?? "" });
    assert.equal(stream.answer(world.view), undefined);
    const { identities } = world.view;
    // The view is made anew with every change; its SVIDs are the cache's.
    world.views.set({ identities: identities.map((each) => ({ ...each })) });
    assert.equal(stream.answer(world.view), undefined);
    world.views.set({ bundle: foreignBundle("td.test") });
    assert.deepEqual([...secretsIn(stream.answer(world.view)).keys()], ["ROOTCA"]);
  });

  it("packs a secret once for all streams", () => {
    const world = new World();
    world.views.grant("/web");
    const answers = [1, 2].map(() =>
      world.stream({ resourceNames: ["default", "ALL"] }).answer(world.view),
    );
    assert.equal(answers[0]?.resources[0], answers[1]?.resources[0]);
    assert.equal(answers[0]?.resources[1], answers[1]?.resources[1]);
  });

  it("follows another set of names, before its first answer too", () => {
    const world = new World();
    const stream = world.stream({ resourceNames: ["spiffe://td.test/none"] });
    assert.equal(stream.answer(world.view), undefined);
    take(stream, { resourceNames: ["default"] });
    world.views.grant("/web");
    assert.deepEqual([...secretsIn(stream.answer(world.view)).keys()], ["default"]);
  });

  it("ignores requests about any but the last answer", () => {
    const world = new World();
    world.views.grant("/web");
    const stream = world.stream({ resourceNames: ["default"] });
    stream.answer(world.view);
    for (const responseNonce of ["", "0", "7", "x".repeat(1_000)]) {
      take(stream, { resourceNames: ["ROOTCA"], responseNonce });
    }
    assert.equal(stream.answer(world.view), undefined);
    take(stream, { resourceNames: ["ROOTCA"], responseNonce: "1" });
    assert.deepEqual([...secretsIn(stream.answer(world.view)).keys()], ["ROOTCA"]);
  });

  it("tells of a rejection once, cut off, and sends the same no second time", () => {
    const world = new World();
    world.views.grant("/web");
    const stream = world.stream({ resourceNames: ["default"] });
    stream.answer(world.view);
    const message = `bad certificate ${"x".repeat(10_000)}`;
    const rejected = { responseNonce: "1", errorDetail: { code: 13, message } };
    for (let i = 0; i < 3; i++) take(stream, { resourceNames: ["default"], ...rejected });
    assert.equal(stream.answer(world.view), undefined);
    const [rejection, ...more] = world.rejections;
    assert.deepEqual(more, []);
    assert.equal(rejection?.nodeId, "edge-1");
    assert.deepEqual(rejection.names, ["default"]);
    assert.equal(rejection.reason.length, 500);
  });

  describe("what is withdrawn", () => {
    it("is replaced by what nobody accepts and by trust in nobody, with different keys", () => {
      const world = new World();
      world.views.grant("/web");
      const stream = world.stream({ resourceNames: ["default", "ROOTCA"] });
      stream.answer(world.view);
      world.views.grant();
      const secrets = secretsIn(stream.answer(world.view));
      const shown = new X509Certificate(pemIn(secrets.get("default")));
      const trusted = new X509Certificate(pemIn(secrets.get("ROOTCA")));
      assert.equal(shown.subjectAltName, undefined);
      assert.ok(new Date(shown.validTo) < new Date("2001-01-01"));
      assert.equal(shown.publicKey.equals(trusted.publicKey), false);
      assert.equal(stream.answer(world.view), undefined);
      world.views.grant("/web");
      const again = secretsIn(stream.answer(world.view));
      assert.equal(idIn(again.get("default")), "spiffe://td.test/web");
    });

    it("is not what only could not be renewed", () => {
      const world = new World();
      world.views.grant("/web");
      const stream = world.stream({ resourceNames: ["default", "spiffe://td.test/web"] });
      stream.answer(world.view);
      world.views.set({ identities: [] });
      assert.equal(stream.answer(world.view), undefined);
    });

    it("is also what an earlier stream brought, once a server has confirmed it", () => {
      const world = new World();
      const names = ["default", "file-root:system"];
      const stream = world.stream({ versionInfo: "5", resourceNames: names });
      assert.equal(stream.isInDoubt, true);
      assert.equal(stream.answer(world.view), undefined);
      assert.deepEqual([...secretsIn(stream.answer(world.view, true)).keys()], ["default"]);
    });
  });

  describe("federation", () => {
    const pattern = IdPattern.parse("/shop/*");
    const limits = new FederationLimits({ idPatterns: [pattern] });

    function federated(): World {
      const world = new World();
      world.views.grant("/web");
      world.views.set({
        federatedBundles: new Map([["any.test", foreignBundle("any.test")]]),
        limitedBundles: new Map([["limited.test", foreignBundle("limited.test", limits)]]),
      });
      return world;
    }

    it("gives foreign bundles by trust domain and all together, without those with limits", () => {
      const world = federated();
      const names = ["ALL", "spiffe://any.test", "spiffe://limited.test", "ROOTCA"];
      const secrets = secretsIn(world.stream({ resourceNames: names }).answer(world.view));
      assert.deepEqual([...secrets.keys()], ["ALL", "spiffe://any.test", "ROOTCA"]);
      assert.deepEqual(domainsIn(secrets.get("ALL")), ["td.test", "any.test"]);
      assert.deepEqual(domainsIn(secrets.get("spiffe://any.test")), ["any.test"]);
      assert.deepEqual(contextIn(secrets.get("ALL")).matchTypedSubjectAltNames, []);
    });

    it("gives those with limits, as SAN matchers, to proxies that say so", () => {
      const world = federated();
      const node = { ...envoy, metadata: { federation_limits: "san_matchers" } };
      const stream = world.stream({ node, resourceNames: ["ALL", "spiffe://limited.test"] });
      const secrets = secretsIn(stream.answer(world.view));
      assert.deepEqual(domainsIn(secrets.get("ALL")), ["td.test", "any.test", "limited.test"]);
      const matchers = contextIn(secrets.get("ALL")).matchTypedSubjectAltNames;
      assert.ok(matchers.every(({ sanType }) => sanType === SubjectAltNameMatcher_SanType.URI));
      assert.deepEqual(
        matchers.map(({ matcher }) => {
          const { value } = matcher?.matchPattern ?? {};
          return typeof value === "object" ? value.regex : value;
        }),
        ["spiffe://td.test/", "spiffe://any.test/", "spiffe://limited\\.test/shop/[^/]+"],
      );
    });

    const plain: readonly (readonly [string, Request, boolean])[] = [
      ["by the agent's setting", {}, true],
      ["of an old Envoy", { node: { ...envoy, userAgentVersionType: { case: undefined } } }, false],
      [
        "by its node's metadata",
        { node: { ...envoy, metadata: { disable_spiffe_cert_validation: true } } },
        false,
      ],
    ];
    for (const [name, request, isDisabled] of plain) {
      it(`never mixes trust domains for the ordinary validator, ${name}`, () => {
        const world = federated();
        const resourceNames = ["ALL", "ROOTCA", "spiffe://any.test"];
        const stream = world.stream({ ...request, resourceNames }, isDisabled);
        const secrets = secretsIn(stream.answer(world.view));
        assert.deepEqual([...secrets.keys()], ["ROOTCA", "spiffe://any.test"]);
        assert.equal(contextIn(secrets.get("ROOTCA")).customValidatorConfig, undefined);
      });
    }
  });

  const refused: readonly (readonly [string, Request])[] = [
    ["another type", { typeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster" }],
    ["too many names", { resourceNames: Array.from({ length: 1_001 }, (_, i) => `n${i}`) }],
    ["an empty name", { resourceNames: [""] }],
    ["a name that is too long", { resourceNames: ["x".repeat(2_049)] }],
  ];
  for (const [name, request] of refused) {
    it(`refuses ${name}, in a later request too`, () => {
      const world = new World();
      assert.throws(() => world.stream(request), StatusError);
      const stream = world.stream();
      assert.throws(() => take(stream, request), StatusError);
    });
  }

  it("takes whatever bytes decode to, or refuses it", () => {
    const world = new World();
    world.views.grant("/web");
    const name = fc.oneof(fc.string(), fc.constantFrom("default", "ROOTCA", "ALL", "spiffe://"));
    const request = fc.record({
      versionInfo: fc.string(),
      resourceNames: fc.array(name),
      responseNonce: fc.constantFrom("", "1", "2", "x"),
    });
    const truncated = fc.tuple(request, fc.nat(200), fc.uint8Array({ maxLength: 20 }));
    fc.assert(
      fc.property(fc.array(truncated, { minLength: 1, maxLength: 4 }), (requests) => {
        const stream = world.stream({ resourceNames: ["default"] });
        for (const [init, length, garbage] of requests) {
          const whole = toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, init));
          const bytes = Buffer.concat([whole.subarray(0, length), garbage]);
          let decoded: ReturnType<typeof create<typeof DiscoveryRequestSchema>> | undefined;
          try {
            decoded = fromBinary(DiscoveryRequestSchema, bytes, { readUnknownFields: false });
          } catch {
            continue;
          }
          try {
            stream.take(decoded);
          } catch (err) {
            assert.ok(err instanceof StatusError, String(err));
            return;
          }
          stream.answer(world.view);
          assert.ok(stream.missing().length <= 1_000);
        }
      }),
    );
  });
});
