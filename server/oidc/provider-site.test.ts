import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { testKey } from "../../test/support/test-ca.ts";
import { ProviderSite } from "./provider-site.ts";

const td = TrustDomain.parse("a.test");
const keys = {
  ec: testKey().publicKey,
  rsa: testKey("rsa-2048").publicKey,
  p384: testKey("P-384").publicKey,
  p521: testKey("P-521").publicKey,
};

/** A bundle with keys of the kinds given, by name. */
function bundleOf(...names: readonly (keyof typeof keys)[]): Bundle {
  return new Bundle(td, {
    jwtAuthorities: names.map((keyId) => ({ keyId, publicKey: keys[keyId] })),
    witAuthorities: [{ keyId: "wit", publicKey: testKey().publicKey }],
  });
}

interface SiteOptions {
  readonly issuer?: string;
  readonly hosts?: readonly string[];
  readonly bundle?: () => Bundle | undefined;
  readonly clock?: FakeClock;
}

function siteOf(options: SiteOptions = {}): ProviderSite {
  const { issuer = "https://oidc.a.test", hosts = [], clock = new FakeClock() } = options;
  const first = bundleOf("ec", "rsa");
  const { bundle = () => first } = options;
  const providers = [{ issuer, hosts, bundle }];
  return new ProviderSite({ providers, algorithms: ["RS256", "ES256"], maxAgeSeconds: 300, clock });
}

function contentOf(site: ProviderSite, path: string, host = "oidc.a.test"): unknown {
  const document = site.documentAt(path, host);
  assert.ok(typeof document === "object");
  return JSON.parse(document.body);
}

const DISCOVERY = "/.well-known/openid-configuration";

describe("ProviderSite", () => {
  it("says where the keys are, and which algorithms they are for", () => {
    assert.deepEqual(contentOf(siteOf(), DISCOVERY), {
      issuer: "https://oidc.a.test",
      jwks_uri: "https://oidc.a.test/keys",
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["ES256", "RS256"],
      claims_supported: ["sub", "aud", "exp", "iat", "iss", "jti"],
    });
  });

  it("serves JWT authorities of its algorithms and nothing else", () => {
    const all = bundleOf("ec", "rsa", "p384", "p521");
    const { keys: served } = contentOf(siteOf({ bundle: () => all }), "/keys") as {
      keys: readonly Record<string, string>[];
    };
    assert.deepEqual(
      served.map(({ kid, kty, alg, use }) => ({ kid, kty, alg, use })),
      [
        { kid: "ec", kty: "EC", alg: "ES256", use: "sig" },
        { kid: "rsa", kty: "RSA", alg: "RS256", use: "sig" },
      ],
    );
    assert.deepEqual(Object.keys(served[1] ?? {}).sort(), ["alg", "e", "kid", "kty", "n", "use"]);
  });

  it("lets caches keep them for the time given", () => {
    const document = siteOf().documentAt("/keys", "oidc.a.test");
    assert.ok(typeof document === "object");
    assert.equal(document.cacheControl, "public, max-age=300");
    assert.equal(document.contentType, "application/json");
  });

  it("follows the bundle, and leaves out what has ended", async () => {
    const clock = new FakeClock();
    const expiresAt = new Date(clock.now().getTime() + 30_000);
    const ending = new Bundle(td, {
      jwtAuthorities: [
        { keyId: "old", publicKey: keys.ec, expiresAt },
        { keyId: "new", publicKey: keys.rsa },
      ],
    });
    let bundle = bundleOf("ec");
    const site = siteOf({ bundle: () => bundle, clock });
    const ids = () =>
      (contentOf(site, "/keys") as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
    assert.deepEqual(ids(), ["ec"]);
    bundle = ending;
    assert.deepEqual(ids(), ["old", "new"]);
    await clock.advance(60_000);
    assert.deepEqual(ids(), ["new"]);
  });

  it("answers later while there are no keys", () => {
    assert.equal(siteOf({ bundle: () => undefined }).documentAt("/keys", "oidc.a.test"), "later");
    const none = bundleOf("p521");
    assert.equal(siteOf({ bundle: () => none }).documentAt(DISCOVERY, "oidc.a.test"), "later");
  });

  it("knows its hosts only", () => {
    const site = siteOf({ hosts: ["oidc.internal:8080"] });
    for (const host of ["oidc.a.test", "OIDC.a.test", "oidc.a.test:443", "oidc.internal:8080"]) {
      assert.ok(site.documentAt("/keys", host), host);
    }
    for (const host of ["", "b.test", "oidc.a.test:8443", "oidc.a.test.b.test", "oidc.internal"]) {
      assert.equal(site.documentAt("/keys", host), undefined, host);
    }
  });

  it("serves an issuer with a path under it", () => {
    const site = siteOf({ issuer: "https://a.test/oidc/prod" });
    const { jwks_uri } = contentOf(site, `/oidc/prod${DISCOVERY}`, "a.test") as {
      jwks_uri: string;
    };
    assert.equal(jwks_uri, "https://a.test/oidc/prod/keys");
    assert.equal(site.documentAt("/keys", "a.test"), undefined);
    assert.equal(site.documentAt(DISCOVERY, "a.test"), undefined);
    assert.equal(site.documentAt("/keys", "a.test/oidc/prod"), undefined);
  });

  it("keeps the issuers of several trust domains apart", () => {
    const clock = new FakeClock();
    const one = bundleOf("ec");
    const two = bundleOf("rsa");
    const providers = [
      { issuer: "https://one.test", hosts: [], bundle: () => one },
      { issuer: "https://two.test", hosts: [], bundle: () => two },
    ];
    const site = new ProviderSite({
      providers,
      algorithms: ["RS256", "ES256"],
      maxAgeSeconds: 60,
      clock,
    });
    const kid = (host: string) =>
      (contentOf(site, "/keys", host) as { keys: { kid: string }[] }).keys[0]?.kid;
    assert.deepEqual([kid("one.test"), kid("two.test")], ["ec", "rsa"]);
  });
});
