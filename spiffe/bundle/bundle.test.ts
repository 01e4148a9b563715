import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { damagedText, survives } from "../../test/support/hostile.ts";
import { TestAuthority, testKey } from "../../test/support/test-ca.ts";
import { TrustDomain } from "../id/spiffe-id.ts";
import { Bundle, type BundleContent } from "./bundle.ts";
import {
  formatBundleDocument,
  MAX_REFRESH_HINT_SECONDS,
  parseBundleDocument,
} from "./bundle-document.ts";
import { parseBundleMap } from "./bundle-map.ts";
import { BundleSet } from "./bundle-set.ts";
import { parseWorkloadJwks } from "./workload-jwks.ts";
import { parseX509Authorities } from "./x509-authorities.ts";

const td = TrustDomain.parse("td.test");
const other = TrustDomain.parse("other.test");
const roots = ["a", "b", "c"].map((name) => TestAuthority.root({}, name).certificate);
const [rootA, rootB] = roots;
const key = testKey().publicKey;
const content: BundleContent = {
  x509Authorities: roots.slice(0, 2),
  jwtAuthorities: [{ keyId: "j", publicKey: key }],
  witAuthorities: [{ keyId: "w", publicKey: key }],
  sequence: 7n,
  refreshHintSeconds: 60,
};

suite("Bundle", () => {
  test("a changed copy leaves the original alone", () => {
    const bundle = new Bundle(td, content);
    const changed = bundle.withX509Authorities([]).withSequence(8n).withRefreshHint(undefined);
    assert.equal(bundle.x509Authorities.length, 2);
    assert.equal(bundle.sequence, 7n);
    assert.equal(changed.x509Authorities.length, 0);
    assert.equal(changed.sequence, 8n);
    assert.equal(changed.refreshHintSeconds, undefined);
    assert.equal(changed.jwtAuthorities.size, 1);
    assert.equal(bundle.withJwtAuthorities([]).jwtAuthorities.size, 0);
    assert.equal(bundle.withWitAuthorities([]).witAuthorities.size, 0);
  });

  test("holds a certificate once", () => {
    assert.ok(rootA !== undefined && rootB !== undefined);
    const bundle = new Bundle(td, { x509Authorities: [rootA, rootB, rootA] });
    assert.deepEqual(bundle.x509Authorities, [rootA, rootB]);
  });

  test("refuses authorities without key ID, or with one key ID", () => {
    const jwt = (...keyIds: readonly string[]): Bundle =>
      new Bundle(td, { jwtAuthorities: keyIds.map((keyId) => ({ keyId, publicKey: key })) });
    assert.throws(() => jwt(""), TypeError);
    assert.throws(() => jwt("a", "a"), TypeError);
  });

  test("equals another that holds the same, in whatever order", () => {
    const bundle = new Bundle(td, content);
    const reversed = bundle.withX509Authorities(bundle.x509Authorities.toReversed());
    assert.ok(bundle.equals(reversed));
    const different: readonly BundleContent[] = [
      { sequence: 8n },
      { refreshHintSeconds: 61 },
      { x509Authorities: roots },
      { x509Authorities: roots.slice(1, 3) },
      { jwtAuthorities: [] },
      { jwtAuthorities: [{ keyId: "j", publicKey: testKey().publicKey }] },
      { jwtAuthorities: [{ keyId: "j", publicKey: key, tainted: true }] },
      { jwtAuthorities: [{ keyId: "j", publicKey: key, expiresAt: new Date(0) }] },
      { witAuthorities: [{ keyId: "x", publicKey: key }] },
    ];
    for (const changes of different) assert.equal(bundle.equals(bundle.with(changes)), false);
    assert.equal(bundle.equals(new Bundle(other, content)), false);
    assert.ok(bundle.hasSameAuthorities(bundle.withSequence(9n)));
  });

  test("is the bundle of its own trust domain and of no other", () => {
    const bundle = new Bundle(td, content);
    assert.equal(bundle.bundleFor(TrustDomain.parse("td.test")), bundle);
    assert.equal(bundle.bundleFor(other), undefined);
  });
});

suite("BundleSet", () => {
  const [ofTd, ofOther] = [new Bundle(td, content), new Bundle(other)];

  test("finds bundles by trust domain, and changes by copy", () => {
    const set = new BundleSet([ofTd]);
    const both = set.with(ofOther);
    assert.equal(set.size, 1);
    assert.equal(both.bundleFor(other), ofOther);
    assert.deepEqual(both.trustDomains.map(String), ["td.test", "other.test"]);
    assert.equal(both.without(td).bundleFor(td), undefined);
    assert.equal(both.with(new Bundle(td)).bundleFor(td)?.x509Authorities.length, 0);
  });

  test("equals another with equal bundles", () => {
    const set = new BundleSet([ofTd, ofOther]);
    assert.ok(set.equals(new BundleSet([ofOther, new Bundle(td, content)])));
    assert.equal(set.equals(new BundleSet([ofTd])), false);
    assert.equal(set.equals(new BundleSet([ofTd.withSequence(1n), ofOther])), false);
    assert.equal(set.equals(new BundleSet([ofTd, new Bundle(TrustDomain.parse("x"))])), false);
  });
});

suite("bundle documents: properties", () => {
  const keys = ["P-256", "P-384", "P-521", "rsa-2048"] as const;
  const publicKeys = keys.map((type) => testKey(type).publicKey);
  const authorities = fc.uniqueArray(
    fc.record({
      keyId: fc.string({ minLength: 1 }),
      publicKey: fc.constantFrom(...publicKeys),
    }),
    { selector: ({ keyId }) => keyId, maxLength: 4 },
  );
  const bundles = fc
    .record({
      x509Authorities: fc.subarray(roots),
      jwtAuthorities: authorities,
      witAuthorities: authorities,
      sequence: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: undefined }),
      refreshHintSeconds: fc.option(fc.integer({ min: 1, max: MAX_REFRESH_HINT_SECONDS }), {
        nil: undefined,
      }),
    })
    .map((parts) => new Bundle(td, parts));

  test("a bundle is read as it was written", () => {
    fc.assert(
      fc.property(bundles, (bundle) => {
        const document = parseBundleDocument(td, formatBundleDocument(bundle), { wit: true });
        assert.ok(document.bundle.equals(bundle));
      }),
    );
  });

  test("a damaged document, map or JWK Set is read or refused", () => {
    const document = formatBundleDocument(new Bundle(td, content));
    const map = `{"trust_domains":{"td.test":${document}}}`;
    fc.assert(
      fc.property(damagedText(map, '{}[]",:0n\u00e4kx5c'), (text) => {
        survives(() => parseBundleMap(text, { wit: true }));
        survives(() => parseBundleDocument(td, text.slice(29, -2), { wit: true }));
        survives(() => parseWorkloadJwks("jwt-svid", text.slice(29, -2)));
      }),
      { numRuns: 500 },
    );
  });

  test("any bytes as X.509 bundle are read or refused", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => survives(() => parseX509Authorities(bytes))));
  });
});
