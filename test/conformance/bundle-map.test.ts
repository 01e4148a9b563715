// SPIFFE Trust Domain and Bundle 5: documents that hold the bundles of many trust domains. Vectors BM.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parseBundleMap } from "../../spiffe/bundle/bundle-map.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { formatPublicJwk } from "../../spiffe/jwt/jwk.ts";
import { spiffeRefused } from "../support/spiffe-refused.ts";
import { testKey } from "../support/test-ca.ts";

const td1 = TrustDomain.parse("td1.test");
const td2 = TrustDomain.parse("td2.test");
const jwk = { use: "jwt-svid", kid: "k", ...formatPublicJwk(testKey().publicKey) };

function parse(map: unknown): ReturnType<typeof parseBundleMap> {
  return parseBundleMap(typeof map === "string" ? map : JSON.stringify(map));
}

suite("Trust Domain and Bundle 5.1: bundle maps", () => {
  test("BM-01 a map of no trust domains is accepted", () => {
    assert.equal(parse({ trust_domains: {} }).bundles.size, 0);
  });

  const refused: readonly (readonly [string, unknown])[] = [
    ["BM-02 no trust_domains", {}],
    ["BM-03 null for trust_domains", { trust_domains: null }],
    ["BM-03 an array for trust_domains", { trust_domains: [] }],
    ["BM-05 a name in upper case", { trust_domains: { "Example.org": { keys: [] } } }],
    ["BND-20 an ID in place of a name", { trust_domains: { "spiffe://td": { keys: [] } } }],
    ["BM-09 a bundle that is no object", { trust_domains: { td: [] } }],
  ];
  for (const [title, map] of refused) {
    test(`${title}: refused`, () => {
      assert.throws(() => parse(map), spiffeRefused("bundle_map_malformed"));
    });
  }

  test("BM-04 a trust domain that is there twice: refused", () => {
    const map = '{"trust_domains":{"td":{"keys":[]},"td":{"keys":[]}}}';
    assert.throws(() => parse(map), spiffeRefused("bundle_malformed"));
  });

  test("BM-07 unknown members are passed over", () => {
    assert.equal(parse({ foo: 1, trust_domains: {} }).bundles.size, 0);
  });

  test("BM-08 hints of the bundles inside are not kept, sequences are", () => {
    const inner = { keys: [jwk], spiffe_refresh_hint: 7, spiffe_sequence: 7 };
    const bundle = parse({ trust_domains: { "td1.test": inner } }).bundles.bundleFor(td1);
    assert.equal(bundle?.refreshHintSeconds, undefined);
    assert.equal(bundle?.sequence, 7n);
    assert.equal(bundle?.jwtAuthorities.size, 1);
  });

  test("BM-09 one malformed bundle: the whole map is refused", () => {
    const map = { trust_domains: { "td1.test": { keys: [] }, "td2.test": {} } };
    assert.throws(() => parse(map), spiffeRefused("bundle_malformed"));
  });

  test("BM-10 a trust domain that the next map does not name has no bundle any more", () => {
    const both = { "td1.test": { keys: [jwk] }, "td2.test": { keys: [jwk] } };
    assert.equal(parse({ trust_domains: both }).bundles.bundleFor(td2)?.jwtAuthorities.size, 1);
    const next = parse({ trust_domains: { "td1.test": { keys: [jwk] } } }).bundles;
    assert.equal(next.bundleFor(td2), undefined);
    assert.equal(next.bundleFor(td1)?.trustDomain.name, "td1.test");
  });

  test("BM-11 a trust domain with no keys has an empty bundle", () => {
    const { bundles } = parse({ trust_domains: { "td1.test": { keys: [] } } });
    assert.equal(bundles.bundleFor(td1)?.jwtAuthorities.size, 0);
  });

  test("BM-12 curly quotes: refused", () => {
    assert.throws(() => parse("{\u201ctrust_domains\u201d:{}}"), spiffeRefused("bundle_malformed"));
  });

  test("what was dropped is reported with its trust domain", () => {
    const { findings } = parse({ trust_domains: { "td1.test": { keys: [{}] } } });
    assert.deepEqual(findings, [
      { code: "element_dropped", message: "td1.test: key 0: it has no use that is known here" },
    ]);
  });
});
