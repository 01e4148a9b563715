import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import {
  secondsFromNow,
  subjectAltName,
  TestAuthority,
  testKey,
  testNow,
  uriName,
} from "../../test/support/test-ca.ts";
import { Bundle } from "../bundle/bundle.ts";
import { BundleSet } from "../bundle/bundle-set.ts";
import { TrustDomain } from "../id/spiffe-id.ts";
import { X509Svid } from "../svid/x509-svid.ts";
import { Certificate } from "../x509/certificate.ts";
import { parseCertificatesPem } from "../x509/certificate-pem.ts";
import { parsePem } from "../x509/pem.ts";
import type { FileSpec, PemPart } from "./file-spec.ts";
import type { IdentityState } from "./identity-state.ts";
import { renderFile } from "./render-file.ts";

const own = TrustDomain.parse("td.test");
const other = TrustDomain.parse("other.test");
const root = TestAuthority.root();
const ended = TestAuthority.root({ notAfter: secondsFromNow(-60) }, "ended");
const foreign = TestAuthority.root({
  subjectAltName: subjectAltName([uriName("spiffe://other.test")], false),
});
const intermediate = root.intermediate();
const leaf = intermediate.leaf();
const jwtKey = { keyId: "k1", publicKey: testKey().publicKey };

const state: IdentityState = {
  svid: new X509Svid([Certificate.parse(leaf.der), intermediate.certificate], leaf.privateKey),
  bundles: new BundleSet([
    new Bundle(own, { x509Authorities: [root.certificate, ended.certificate] }),
    new Bundle(other, { x509Authorities: [foreign.certificate] }),
  ]),
  jwtBundles: new BundleSet([new Bundle(own, { jwtAuthorities: [jwtKey] }), new Bundle(other)]),
  tokens: new Map([["token", "a.b.c"]]),
};

function render(file: FileSpec): string | undefined {
  const bytes = renderFile(file, state, testNow, new FakeRandom());
  return bytes && Buffer.from(bytes).toString("utf8");
}

function pem(holds: readonly PemPart[], more: object = {}): string {
  return render({ type: "pem", name: "a", mode: 0o600, holds, ...more }) ?? "";
}

function certificatesIn(text: string): readonly Certificate[] {
  return parseCertificatesPem(text);
}

describe("renderFile", () => {
  it("writes the parts of a PEM file in the order asked for", () => {
    const labels = parsePem(pem(["key", "chain", "bundle"])).map(({ label }) => label);
    assert.deepEqual(labels, ["PRIVATE KEY", ...Array(4).fill("CERTIFICATE")]);
    assert.ok(certificatesIn(pem(["leaf"]))[0]?.equals(Certificate.parse(leaf.der)));
    assert.ok(certificatesIn(pem(["intermediates"]))[0]?.equals(intermediate.certificate));
    assert.equal(certificatesIn(pem(["bundle", "federated"])).length, 3);
  });

  it("keeps the authorities of another trust domain apart", () => {
    const [only, ...rest] = certificatesIn(pem(["bundle"], { trustDomain: other }));
    assert.ok(only?.equals(foreign.certificate));
    assert.deepEqual(rest, []);
  });

  it("leaves ended authorities out where that is asked for", () => {
    assert.equal(certificatesIn(pem(["bundle"])).length, 2);
    assert.equal(certificatesIn(pem(["bundle"], { omitExpired: true })).length, 1);
  });

  it("has no content for a trust domain whose bundle is not handed out", () => {
    const trustDomain = TrustDomain.parse("gone.test");
    const common = { name: "a", mode: 0o600, trustDomain };
    assert.equal(render({ ...common, type: "pem", holds: ["bundle"] }), undefined);
    assert.equal(render({ ...common, type: "jwks" }), undefined);
    assert.equal(render({ ...common, type: "bundle-document" }), undefined);
  });

  it("writes a token bare", () => {
    assert.equal(render({ type: "jwt", name: "token", mode: 0o600, audience: ["x"] }), "a.b.c");
  });

  it("writes JWT authorities as a JWK Set, as a bundle document, and by trust domain", () => {
    const parse = (type: "jwks" | "bundle-document" | "jwks-by-trust-domain") =>
      JSON.parse(render({ type, name: "a", mode: 0o644 }) ?? "");
    assert.deepEqual(
      parse("jwks").keys.map(({ kid, use }: Record<string, unknown>) => ({ kid, use })),
      [{ kid: "k1", use: undefined }],
    );
    const uses = parse("bundle-document").keys.map(({ use }: { use: string }) => use);
    assert.deepEqual(uses, ["x509-svid", "x509-svid", "jwt-svid"]);
    const all = parse("jwks-by-trust-domain");
    assert.deepEqual(Object.keys(all), ["td.test", "other.test"]);
    const set = JSON.parse(Buffer.from(all["td.test"], "base64").toString());
    assert.equal(set.keys[0].kid, "k1");
  });
});
