// Relationships with foreign trust domains on a running server: what it fetches, keeps, gives on and takes back.

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { after, before, describe, it } from "node:test";
import { encodeBundle } from "../../proto/convert/bundle.ts";
import { Admin, type FederationState } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Bundle as BundleApi } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { TrustDomain as TrustDomainApi } from "../../proto/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts";
import { Bundle, type BundleContent } from "../../spiffe/bundle/bundle.ts";
import { formatBundleDocument } from "../../spiffe/bundle/bundle-document.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { eventually } from "../support/eventually.ts";
import {
  answering,
  domainAuthority,
  endpointSvid,
  ForeignEndpoint,
  pemOf,
  webAuthority,
  webCertificate,
} from "../support/foreign-endpoint.ts";
import { CALL, type Connection, RunningServer } from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";
import type { TestAuthority } from "../support/test-ca.ts";

const partner = TrustDomain.parse("partner.test");
const ID = "spiffe://partner.test/endpoint";

function documentWith(...roots: readonly TestAuthority[]) {
  return (more: BundleContent = {}): string =>
    formatBundleDocument(
      new Bundle(partner, { x509Authorities: roots.map((root) => root.certificate), ...more }),
    );
}

describe("federation of a server", () => {
  let dir: TempDir;
  let server: RunningServer;
  let admin: Connection;
  before(async () => {
    dir = await TempDir.open();
    await writeFile(dir.join("web.pem"), formatPem("CERTIFICATE", webAuthority.der));
    server = await RunningServer.open({
      federation: {
        webAuthorities: dir.join("web.pem"),
        bundleEndpoint: { address: "127.0.0.1", port: 0 },
      },
    });
    admin = server.admin();
  });
  after(async () => {
    admin[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  });

  const show = async (): Promise<FederationState> => {
    const { federations } = await admin
      .client(Admin)
      .listFederations({ trustDomain: "partner.test" }, CALL);
    assert.ok(federations[0]);
    return federations[0];
  };
  const refresh = () =>
    admin.client(TrustDomainApi).refreshBundle({ trustDomain: "partner.test" }, CALL);
  const create = (endpoint: object, limits: object, bundle?: Bundle) =>
    admin.client(Admin).createFederation(
      {
        federation: { trustDomain: "partner.test", endpoint, limits },
        ...(bundle && { bundle: encodeBundle(bundle) }),
      },
      CALL,
    );
  const remove = () => admin.client(Admin).deleteFederation({ trustDomain: "partner.test" }, CALL);
  const stored = () =>
    admin.client(BundleApi).getFederatedBundle({ trustDomain: "partner.test" }, CALL);
  const fetched = () =>
    eventually("the first bundle", async () => ((await show()).fetchedAt > 0n ? true : undefined));

  it("F-40, F-41, F-44, F-45 takes what is newer, and keeps what it has otherwise", async () => {
    const [one, two] = [domainAuthority("partner.test"), domainAuthority("partner.test")];
    await using endpoint = await ForeignEndpoint.open(
      webCertificate(),
      answering(documentWith(one)({ sequence: 5n })),
    );
    await create({ profile: "https_web", url: endpoint.url }, { any: true });
    await fetched();
    const sees = async (...roots: readonly TestAuthority[]): Promise<void> => {
      const { x509Authorities } = await stored();
      assert.deepEqual(
        x509Authorities.map(({ asn1 }) => Buffer.from(asn1)),
        roots.map((root) => Buffer.from(root.der)),
      );
    };
    await sees(one);
    endpoint.respond = answering(documentWith(two)({ sequence: 4n }));
    await assert.rejects(refresh(), { code: 14, reason: "bundle_sequence" });
    await sees(one);
    assert.equal((await show()).failureCode, "bundle_sequence");
    endpoint.respond = answering("{");
    await assert.rejects(refresh(), { code: 14, reason: "bundle_malformed" });
    await sees(one);
    endpoint.respond = answering(documentWith(two)({ sequence: 5n }));
    await refresh();
    await sees(two);
    assert.deepEqual(
      server.log.messages("warn").at(-1),
      "Foreign bundle has changed without a new sequence",
    );
    endpoint.respond = answering(documentWith(one, two)());
    await refresh();
    await sees(one, two);
    endpoint.respond = answering(documentWith()({ sequence: 9n }));
    await refresh();
    await sees();
    assert.equal((await show()).failureCode, "");
    await remove();
    await assert.rejects(stored(), { code: 5 }, "F-43: it is gone with its relationship");
  });

  it("refuses a document with a key of its own trust domain", async () => {
    const own = await admin.client(BundleApi).getBundle({}, CALL);
    const { decodeBundle } = await import("../../proto/convert/bundle.ts");
    const document = formatBundleDocument(decodeBundle("bundle", own));
    await using endpoint = await ForeignEndpoint.open(webCertificate(), answering(document));
    await create({ profile: "https_web", url: endpoint.url }, { any: true });
    await eventually("a failure", async () =>
      (await show()).failureCode === "bundle_own_authority" ? true : undefined,
    );
    assert.ok((await show()).findings.includes("no_bundle"));
    await remove();
  });

  it("F-37 follows all roots of an endpoint that serves its own trust domain", async () => {
    const [one, two] = [domainAuthority("partner.test"), domainAuthority("partner.test")];
    const serve = (sequence: bigint, ...roots: readonly TestAuthority[]) =>
      answering(documentWith(...roots)({ sequence }));
    await using endpoint = await ForeignEndpoint.open(endpointSvid(one, ID), serve(1n, one));
    const bootstrap = new Bundle(partner, { x509Authorities: [one.certificate] });
    const profile = { profile: "https_spiffe", url: endpoint.url, endpointId: ID };
    await create(profile, { any: true }, bootstrap);
    await fetched();
    endpoint.respond = serve(2n, one, two);
    await refresh();
    endpoint.respond = serve(3n, two);
    endpoint.show(endpointSvid(two, ID));
    await refresh();
    await refresh();
    assert.equal((await stored()).sequenceNumber, 3n);
    endpoint.show(endpointSvid(one, ID));
    await assert.rejects(refresh(), { reason: "endpoint_untrusted" });
    await remove();
  });

  it("lists what a relationship is for, and what somebody should look at", async () => {
    await create(
      { profile: "none" },
      {
        idPatterns: ["/payments/*"],
        audiences: ["billing"],
        owner: "payments",
        purpose: "invoices",
      },
      new Bundle(partner, { x509Authorities: [domainAuthority("partner.test").certificate] }),
    );
    const limited = await show();
    assert.deepEqual([limited.origin, limited.findings], ["admin", []]);
    assert.deepEqual(
      limited.enforcement.map(({ consumer, state }) => `${consumer}: ${state}`),
      [
        "ValidateJWTSVID: enforced",
        "client library: enforced",
        "Envoy SDS that asks for limits: enforced",
        "Workload API bundles: withheld",
        "Envoy SDS otherwise: withheld",
        "agents of other makes: withheld",
      ],
    );
    const relationships = [
      {
        trustDomain: "partner.test",
        bundleEndpointUrl: "https://partner.test/",
        bundleEndpointProfile: { case: "httpsWeb" as const, value: {} },
      },
    ];
    const api = admin.client(TrustDomainApi);
    const { results } = await api.batchUpdateFederationRelationship(
      { federationRelationships: relationships },
      CALL,
    );
    assert.equal(results[0]?.status?.code, 0);
    const updated = await show();
    assert.equal(updated.federation?.limits?.any, false, "the public API takes no limits away");
    await remove();
    await api.batchCreateFederationRelationship({ federationRelationships: relationships }, CALL);
    const unlimited = await show();
    assert.equal(unlimited.origin, "api");
    assert.deepEqual(unlimited.findings.slice(0, 3), ["any", "no_owner", "no_bundle"]);
    const listed = await api.listFederationRelationships({}, CALL);
    assert.deepEqual(
      listed.federationRelationships.map((each) => [
        each.trustDomain,
        each.bundleEndpointProfile.case,
      ]),
      [["partner.test", "httpsWeb"]],
    );
    const { results: deleted } = await api.batchDeleteFederationRelationship(
      { trustDomains: ["partner.test", "nobody.test", "example.test"] },
      CALL,
    );
    assert.deepEqual(
      deleted.map(({ status }) => status?.code),
      [0, 5, 3],
    );
    await assert.rejects(api.getFederationRelationship({ trustDomain: "partner.test" }, CALL), {
      code: 5,
    });
  });

  it("ends a relationship at its time, on the record", async () => {
    const endsAt = BigInt(Math.floor(server.clock.now().getTime() / 1000) + 3600);
    const bundle = new Bundle(partner, {
      x509Authorities: [domainAuthority("partner.test").certificate],
    });
    await create({ profile: "none" }, { any: true, endsAt }, bundle);
    assert.equal((await stored()).x509Authorities.length, 1);
    server.clock.shift(3_601_000);
    await assert.rejects(stored(), { code: 5 });
    // The wall clock has jumped, which whoever sleeps notices with the next change.
    const other = { trustDomain: "other.test", endpoint: { profile: "none" }, limits: {} };
    await admin.client(Admin).createFederation({ federation: other }, CALL);
    await eventually("the end", async () => ((await show()).endedAt > 0n ? true : undefined));
    const records = await Array.fromAsync(admin.client(Admin).listAudit({}, CALL));
    assert.ok(records.some(({ line }) => Buffer.from(line).includes('"action":"federation.end"')));
    await remove();
  });

  const ask = async (path: string, options: object = {}) => {
    const asked = request({
      host: "127.0.0.1",
      port: server.server.bundleEndpointPort,
      path,
      rejectUnauthorized: false,
      agent: false,
      ...options,
    });
    asked.end();
    const [response]: IncomingMessage[] = await once(asked, "response");
    assert.ok(response);
    return { response, body: Buffer.concat(await Array.fromAsync(response)).toString() };
  };

  it("serves its own bundle to anybody, and tells caches to ask", async () => {
    const { response, body } = await ask("/");
    assert.equal(response.statusCode, 200);
    assert.equal(response.headers["content-type"], "application/json");
    assert.equal(response.headers["cache-control"], "no-cache");
    const document = JSON.parse(body);
    assert.equal(document.spiffe_refresh_hint, 300);
    const { sequenceNumber } = await admin.client(BundleApi).getBundle({}, CALL);
    assert.equal(BigInt(document.spiffe_sequence), sequenceNumber);
    const { etag = "" } = response.headers;
    const again = await ask("/", { headers: { "if-none-match": `"x", W/${etag}` } });
    assert.deepEqual([again.response.statusCode, again.body], [304, ""]);
  });

  for (const [vector, method] of [
    ["F-51", "POST"],
    ["F-51", "PUT"],
    ["F-51", "OPTIONS"],
    ["F-51", "DELETE"],
  ] as const) {
    it(`${vector} answers ${method} with 405`, async () => {
      const { response } = await ask("/", { method });
      assert.deepEqual([response.statusCode, response.headers.allow], [405, "GET, HEAD"]);
    });
  }

  it("F-52 answers HEAD without a body", async () => {
    const { response, body } = await ask("/", { method: "HEAD" });
    assert.deepEqual([response.statusCode, body], [200, ""]);
    assert.ok(Number(response.headers["content-length"]) > 100);
  });

  it("F-54 takes no notice of credentials", async () => {
    const client = pemOf(endpointSvid(domainAuthority("x.test"), "spiffe://x.test/a"));
    const headers = { authorization: "Bearer nonsense" };
    const { response } = await ask("/", { ...client, headers });
    assert.equal(response.statusCode, 200);
  });

  for (const path of ["/bundle", "//", "/%2e", "/../", "/index.html"]) {
    it(`has nothing at ${path}`, async () => {
      assert.equal((await ask(path)).response.statusCode, 404);
    });
  }

  it("refuses a body, and a head that is too large", async () => {
    const { response } = await ask("/", { headers: { "content-length": "5" } });
    assert.equal(response.statusCode, 400);
    const large = await ask("/", { headers: { x: "y".repeat(20_000) } });
    assert.equal(large.response.statusCode, 431);
  });
});
