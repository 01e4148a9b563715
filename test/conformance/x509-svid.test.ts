// X509-SVID: which shapes are loaded as one's own, and which are accepted from a peer. Vectors L, S, D, P, C, N, E, A, R.
// Everything is good unless the row says otherwise: root of td.test, leaf spiffe://td.test/w, valid at testNow.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { BundleSet } from "../../spiffe/bundle/bundle-set.ts";
import { parseX509Authorities } from "../../spiffe/bundle/x509-authorities.ts";
import type { SpiffeErrorCode } from "../../spiffe/error.ts";
import type { FindingCode } from "../../spiffe/finding.ts";
import { SpiffeId, TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { X509Svid } from "../../spiffe/svid/x509-svid.ts";
import { type VerifiedX509Svid, verifyX509Svid } from "../../spiffe/svid/x509-verify.ts";
import { Certificate, parseConcatenatedCertificates } from "../../spiffe/x509/certificate.ts";
import * as der from "../../spiffe/x509/der-writer.ts";
import { ExtensionOid, ExtKeyUsageOid } from "../../spiffe/x509/oids.ts";
import { spiffeRefused } from "../support/spiffe-refused.ts";
import {
  basicConstraints,
  dnsName,
  ecdsaSha1,
  extension,
  extKeyUsage,
  type Issued,
  type KeyPair,
  keyUsage,
  nameConstraints,
  rsaPssSha256,
  type Shape,
  secondsFromNow,
  selfSignedLeaf,
  subjectAltName,
  TestAuthority,
  testKey,
  testNow,
  uriName,
  uriSan,
} from "../support/test-ca.ts";

const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
const tdTest = TrustDomain.parse("td.test");
const otherTest = TrustDomain.parse("other.test");
const leafKey = testKey();
const root = TestAuthority.root();
const day = 86_400;

/** Loads an SVID as if the Workload API had sent it. */
function load(...chain: readonly [Issued, ...Issued[]]): X509Svid {
  return X509Svid.parse({
    certificates: Buffer.concat(chain.map((issued) => issued.der)),
    privateKey: pkcs8(chain[0]),
  });
}

/** Verifies what a peer presents against the given CA certificates of td.test. */
function verify(
  chain: readonly Issued[],
  authorities: readonly Issued[] = [root],
): VerifiedX509Svid {
  const bundle = new Bundle(tdTest, {
    x509Authorities: authorities.map((issued) => Certificate.parse(issued.der)),
  });
  return verifyX509Svid(
    chain.map((issued) => Certificate.parse(issued.der)),
    bundle,
    testNow,
  );
}

function pkcs8({ privateKey }: KeyPair): Uint8Array {
  return privateKey.export({ format: "der", type: "pkcs8" });
}

type Outcome = SpiffeErrorCode | readonly FindingCode[];

/** A list of findings means accepted with exactly those. */
function expectPeer(run: () => VerifiedX509Svid, outcome: Outcome): void {
  if (typeof outcome === "string") {
    assert.throws(run, spiffeRefused(outcome));
  } else {
    assert.deepEqual(
      run().findings.map(({ code }) => code),
      outcome,
    );
  }
}

suite("X509-SVID 4, 5.2: leaf extensions", () => {
  const good: Outcome = [];
  const rows: readonly (readonly [string, Shape, "loads" | SpiffeErrorCode, Outcome])[] = [
    ["L01 the baseline", {}, "loads", good],
    ["L02 no basic constraints", { basicConstraints: undefined }, "loads", good],
    [
      "L03 a subject and a SAN that is not critical",
      {
        subject: { commonName: "w" },
        subjectAltName: subjectAltName([uriName("spiffe://td.test/w")], false),
      },
      "loads",
      good,
    ],
    [
      "L04 no subject and a SAN that is not critical",
      { subjectAltName: subjectAltName([uriName("spiffe://td.test/w")], false) },
      "loads",
      ["subject_alt_name_not_critical"],
    ],
    ["L05 no EKU", { extKeyUsage: undefined }, "loads", good],
    [
      "L06 EKU serverAuth only",
      { extKeyUsage: extKeyUsage(ExtKeyUsageOid.serverAuth) },
      "loads",
      ["ext_key_usage_incomplete"],
    ],
    [
      "L07 EKU clientAuth only",
      { extKeyUsage: extKeyUsage(ExtKeyUsageOid.clientAuth) },
      "loads",
      ["ext_key_usage_incomplete"],
    ],
    [
      "L08 EKU codeSigning only",
      { extKeyUsage: extKeyUsage(CODE_SIGNING) },
      "svid_ext_key_usage",
      "svid_ext_key_usage",
    ],
    [
      "L10 EKU both and codeSigning",
      {
        extKeyUsage: extKeyUsage(
          ExtKeyUsageOid.serverAuth,
          ExtKeyUsageOid.clientAuth,
          CODE_SIGNING,
        ),
      },
      "loads",
      good,
    ],
    [
      "L11 EKU anyExtendedKeyUsage only",
      { extKeyUsage: extKeyUsage(ExtKeyUsageOid.any) },
      "loads",
      ["ext_key_usage_incomplete"],
    ],
    ["L12 no key usage", { keyUsage: undefined }, "svid_key_usage", ["key_usage_missing"]],
    [
      "L14 key usage with keyEncipherment and keyAgreement",
      { keyUsage: keyUsage("digitalSignature", "keyEncipherment", "keyAgreement") },
      "loads",
      good,
    ],
    [
      "L15 key usage keyEncipherment only",
      { keyUsage: keyUsage("keyEncipherment") },
      "svid_key_usage",
      ["digital_signature_missing"],
    ],
    [
      "L17 key usage with cRLSign",
      { keyUsage: keyUsage("digitalSignature", "cRLSign") },
      "svid_key_usage",
      "svid_key_usage",
    ],
    [
      "L18 key usage with nonRepudiation",
      { keyUsage: keyUsage("digitalSignature", "nonRepudiation") },
      "loads",
      good,
    ],
    [
      "L19 key usage with dataEncipherment and decipherOnly",
      { keyUsage: keyUsage("digitalSignature", "dataEncipherment", "decipherOnly") },
      "loads",
      good,
    ],
    [
      "L20 cA TRUE without keyCertSign",
      { basicConstraints: basicConstraints(true) },
      "svid_is_ca",
      "svid_is_ca",
    ],
    [
      "L21 a signing certificate as leaf",
      { basicConstraints: basicConstraints(true), keyUsage: keyUsage("keyCertSign") },
      "svid_is_ca",
      "svid_is_ca",
    ],
    [
      "L22 cA FALSE with a path length",
      { basicConstraints: basicConstraints(false, 0) },
      "loads",
      ["path_length_without_ca"],
    ],
    [
      "L24 key usage of no bits",
      { keyUsage: extension(ExtensionOid.keyUsage, der.bitString(new Uint8Array()), true) },
      "certificate_extension",
      "certificate_extension",
    ],
  ];
  for (const [title, shape, loading, peer] of rows) {
    test(title, () => {
      const leaf = root.leaf({ key: leafKey, ...shape });
      if (loading === "loads") assert.equal(load(leaf).id.path, "/w");
      else assert.throws(() => load(leaf), spiffeRefused(loading));
      expectPeer(() => verify([leaf]), peer);
    });
  }
});

suite("X509-SVID 2, 5.2: the SPIFFE ID", () => {
  const sanOf = (...names: readonly Uint8Array[]): Shape => ({
    subjectAltName: subjectAltName(names),
  });
  const idOf = (uri: string | Uint8Array): Shape => ({ subjectAltName: uriSan(uri) });
  const rows: readonly (readonly [string, Shape, SpiffeErrorCode])[] = [
    [
      "S01 no SAN, and the SPIFFE ID as common name",
      { subject: { commonName: "spiffe://td.test/w" }, subjectAltName: undefined },
      "svid_uri_san",
    ],
    ["S02 a DNS name only", sanOf(dnsName("w.td.test")), "svid_uri_san"],
    [
      "S03 two SPIFFE IDs",
      sanOf(uriName("spiffe://td.test/w"), uriName("spiffe://td.test/v")),
      "svid_uri_san",
    ],
    [
      "S04 a SPIFFE ID and another URI",
      sanOf(uriName("spiffe://td.test/w"), uriName("https://td.test/w")),
      "svid_uri_san",
    ],
    ["S07 another URI only", idOf("https://td.test/w"), "id_scheme"],
    ["S09 the SPIFFE ID as DNS name", sanOf(dnsName("spiffe://td.test/w")), "svid_uri_san"],
    ["S10 no path", idOf("spiffe://td.test"), "svid_no_path"],
    ["S11 nothing but a slash as path", idOf("spiffe://td.test/"), "path_trailing_slash"],
    ["S12 a slash at the end", idOf("spiffe://td.test/w/"), "path_trailing_slash"],
    ["S13 the scheme in upper case", idOf("SPIFFE://td.test/w"), "id_scheme"],
    ["S14 the scheme in mixed case", idOf("Spiffe://td.test/w"), "id_scheme"],
    ["S16 a percent escape", idOf("spiffe://td.test/%61"), "path_char"],
    ["S18 a query", idOf("spiffe://td.test/w?a=b"), "path_char"],
    ["S19 an empty query", idOf("spiffe://td.test/w?"), "path_char"],
    ["S20 a fragment", idOf("spiffe://td.test/w#f"), "path_char"],
    ["S21 an empty fragment", idOf("spiffe://td.test/w#"), "path_char"],
    ["S22 a port", idOf("spiffe://td.test:443/w"), "trust_domain_char"],
    ["S23 an empty port", idOf("spiffe://td.test:/w"), "trust_domain_char"],
    ["S24 user information", idOf("spiffe://u@td.test/w"), "trust_domain_char"],
    ["S25 empty user information", idOf("spiffe://@td.test/w"), "trust_domain_char"],
    ["S26 a dot segment", idOf("spiffe://td.test/a/../w"), "path_dot_segment"],
    ["S27 an empty segment", idOf("spiffe://td.test//w"), "path_empty_segment"],
    ["S29 no authority", idOf("spiffe:td.test/w"), "id_scheme"],
    ["S30 an empty authority", idOf("spiffe:///w"), "trust_domain_empty"],
    ["S31 a space", idOf("spiffe://td.test/w w"), "path_char"],
    ["S32 a NUL at the end", idOf("spiffe://td.test/w\0"), "path_char"],
    ["S33 a NUL inside", idOf("spiffe://td.test\0.evil/w"), "trust_domain_char"],
    ["S34 a newline at the end", idOf("spiffe://td.test/w\n"), "path_char"],
    ["S35 octets that are not ASCII", idOf("spiffe://td.test/\u00e4"), "certificate_extension"],
    ["S36 an empty URI", idOf(""), "id_scheme"],
    ["S37 nothing after the scheme", idOf("spiffe://"), "trust_domain_empty"],
    ["S38 an escaped slash", idOf("spiffe://td.test/a%2fb"), "path_char"],
    [
      "S39 an ID that looks like two where it is printed",
      idOf("spiffe://td.test/a,URI:spiffe://td.test/b"),
      "path_char",
    ],
    ["S40 an asterisk", idOf("spiffe://td.test/*"), "path_char"],
    ["S42 a colon", idOf("spiffe://td.test/a:b"), "path_char"],
    [
      "S44 two SAN extensions",
      { extra: [uriSan("spiffe://td.test/v")] },
      "certificate_extension_duplicate",
    ],
  ];
  for (const [title, shape, code] of rows) {
    test(`${title}: refused`, () => {
      const leaf = root.leaf({ key: leafKey, ...shape });
      assert.throws(() => load(leaf), spiffeRefused(code));
      assert.throws(() => verify([leaf]), spiffeRefused(code));
    });
  }

  for (const bytes of [2048, 2049, 4096]) {
    test(`S43 an ID of ${bytes} bytes: accepted`, () => {
      const uri = `spiffe://td.test/${"w".repeat(bytes - 17)}`;
      const leaf = root.leaf({ subjectAltName: uriSan(uri) });
      assert.equal(verify([leaf]).id.toString(), uri);
      assert.equal(load(leaf).id.toString(), uri);
    });
  }

  for (const name of ["a_b.test", "-", "1.2.3.4", "a".repeat(64), "a".repeat(255)]) {
    test(`S45 trust domain ${name.slice(0, 8)} of ${name.length} bytes: accepted`, () => {
      const trustDomain = TrustDomain.parse(name);
      const leaf = root.leaf({ subjectAltName: uriSan(`spiffe://${name}/w`) });
      const bundle = new Bundle(trustDomain, { x509Authorities: [root.certificate] });
      const verified = verifyX509Svid([Certificate.parse(leaf.der)], bundle, testNow);
      assert.ok(verified.id.memberOf(trustDomain));
    });
  }
});

suite("X509-SVID 5.1: dates", () => {
  test("D01 an expired leaf is refused", () => {
    const leaf = root.leaf({ notBefore: secondsFromNow(-day), notAfter: secondsFromNow(-1) });
    assert.throws(() => verify([leaf]), spiffeRefused("certificate_expired"));
  });

  test("D02 a leaf that is not valid yet is refused", () => {
    const leaf = root.leaf({ notBefore: secondsFromNow(1) });
    assert.throws(() => verify([leaf]), spiffeRefused("certificate_not_yet_valid"));
  });

  test("D03 an expired root is refused, though it is in the bundle", () => {
    const old = TestAuthority.root({
      notBefore: secondsFromNow(-day),
      notAfter: secondsFromNow(-1),
    });
    assert.throws(() => verify([old.leaf()], [old]), spiffeRefused("certificate_expired"));
  });

  test("D04 a leaf that will outlive its root is accepted as long as both are valid", () => {
    const leaf = root.leaf({ notAfter: secondsFromNow(10 * day) });
    assert.equal(verify([leaf]).path.length, 2);
  });

  test("RFC 5280 4.1.2.5: both ends of the validity belong to it", () => {
    const leaf = root.leaf({ notBefore: testNow, notAfter: testNow });
    assert.equal(verify([leaf]).id.path, "/w");
  });
});

suite("X509-SVID 5.2: trust", () => {
  test("P01 a leaf of an unknown root is refused", () => {
    assert.throws(() => verify([TestAuthority.root().leaf()]), spiffeRefused("chain_untrusted"));
  });

  test("P02 a leaf of one trust domain signed by the authority of another is refused", () => {
    const leaf = root.leaf({ subjectAltName: uriSan("spiffe://other.test/w") });
    const otherRoot = TestAuthority.root({ subjectAltName: uriSan("spiffe://other.test") });
    const bundles = new BundleSet([
      new Bundle(tdTest, { x509Authorities: [root.certificate] }),
      new Bundle(otherTest, { x509Authorities: [otherRoot.certificate] }),
    ]);
    assert.throws(
      () => verifyX509Svid([Certificate.parse(leaf.der)], bundles, testNow),
      spiffeRefused(
        "chain_untrusted",
        "certificate was signed by no authority of trust domain other.test",
      ),
    );
  });

  test("WL-14 a leaf of a trust domain without bundle is refused", () => {
    const leaf = root.leaf({ subjectAltName: uriSan("spiffe://other.test/w") });
    assert.throws(
      () => verify([leaf]),
      spiffeRefused("bundle_not_found", "trust domain other.test is not known"),
    );
  });

  test("P05 with an empty bundle everything is refused", () => {
    assert.throws(() => verify([root.leaf()], []), spiffeRefused("chain_untrusted"));
  });

  test("P07 a self-signed leaf is refused", () => {
    assert.throws(() => verify([selfSignedLeaf()]), spiffeRefused("chain_untrusted"));
  });

  test("P08 a leaf that is in the bundle itself, without its root, is refused", () => {
    const leaf = root.leaf();
    assert.throws(() => verify([leaf], [leaf]), spiffeRefused("chain_untrusted"));
  });

  test("T13 a self-signed leaf that is in the bundle itself is refused", () => {
    const leaf = selfSignedLeaf();
    assert.throws(() => verify([leaf], [leaf]), spiffeRefused("chain_untrusted"));
  });

  test("a peer that presents nothing is refused", () => {
    assert.throws(() => verify([]), spiffeRefused("svid_empty"));
  });
});

suite("X509-SVID 5.1: chains", () => {
  const intermediate = root.intermediate();
  const leaf = intermediate.leaf({ key: leafKey });
  const under = (shape: Shape): readonly [Issued, Issued] => {
    const authority = root.intermediate(shape);
    return [authority.leaf(), authority];
  };

  test("C01 a leaf and its intermediate are accepted", () => {
    assert.equal(verify([leaf, intermediate]).path.length, 3);
    assert.equal(load(leaf, intermediate).certificates.length, 2);
  });

  test("C02 a leaf whose intermediate was not sent is refused", () => {
    assert.throws(() => verify([leaf]), spiffeRefused("chain_untrusted"));
  });

  const refused: readonly (readonly [string, Shape])[] = [
    ["C03 an intermediate with cA FALSE", { basicConstraints: basicConstraints(false) }],
    ["C03 an intermediate without basic constraints", { basicConstraints: undefined }],
    ["C04 an intermediate without keyCertSign", { keyUsage: keyUsage("cRLSign") }],
  ];
  for (const [title, shape] of refused) {
    test(`${title} is refused, and not loaded`, () => {
      const chain = under(shape);
      assert.throws(() => verify(chain), spiffeRefused("chain_untrusted"));
      assert.throws(() => load(...chain), spiffeRefused("svid_chain"));
    });
  }

  test("C05 an intermediate without key usage is accepted from a peer, and not loaded", () => {
    const chain = under({ keyUsage: undefined });
    expectPeer(() => verify(chain), ["key_usage_missing"]);
    assert.throws(() => load(...chain), spiffeRefused("svid_chain"));
  });

  const accepted: readonly (readonly [string, Shape, readonly FindingCode[]])[] = [
    ["C07 path length 0 above the leaf", { basicConstraints: basicConstraints(true, 0) }, []],
    [
      "C11 an intermediate whose ID has a path",
      { subjectAltName: uriSan("spiffe://td.test/ca") },
      ["signing_id_has_path"],
    ],
    ["C12 an intermediate without SAN", { subjectAltName: undefined }, []],
    [
      "C13 an intermediate with an ID of another trust domain",
      { subjectAltName: uriSan("spiffe://other.test") },
      [],
    ],
    [
      "C14 an intermediate with two URI SANs",
      {
        subjectAltName: subjectAltName([uriName("spiffe://td.test"), uriName("spiffe://td2.test")]),
      },
      ["signing_id_invalid"],
    ],
    [
      "C15 an intermediate with digitalSignature too",
      { keyUsage: keyUsage("keyCertSign", "digitalSignature") },
      [],
    ],
    [
      "C16 an intermediate with EKU serverAuth only",
      { extKeyUsage: extKeyUsage(ExtKeyUsageOid.serverAuth) },
      [],
    ],
  ];
  for (const [title, shape, findings] of accepted) {
    test(`${title} is accepted`, () => {
      const chain = under(shape);
      expectPeer(() => verify(chain), findings);
      assert.equal(load(...chain).id.path, "/w");
    });
  }

  test("C09 a root with path length 0 directly above the leaf is accepted", () => {
    const strict = TestAuthority.root({ basicConstraints: basicConstraints(true, 0) });
    assert.equal(verify([strict.leaf()], [strict]).path.length, 2);
  });

  test("C10 a root with path length 0 above an intermediate is refused", () => {
    const strict = TestAuthority.root({ basicConstraints: basicConstraints(true, 0) });
    const between = strict.intermediate();
    assert.throws(
      () => verify([between.leaf(), between], [strict]),
      spiffeRefused("chain_untrusted", "there are more intermediates than the path length allows"),
    );
  });

  test("C16 a leaf for clients under an intermediate for servers is refused", () => {
    const servers = root.intermediate({ extKeyUsage: extKeyUsage(ExtKeyUsageOid.serverAuth) });
    const client = servers.leaf({ extKeyUsage: extKeyUsage(ExtKeyUsageOid.clientAuth) });
    assert.throws(() => verify([client, servers]), spiffeRefused("svid_ext_key_usage"));
  });

  test("C17 a root without SAN is accepted", () => {
    const bare = TestAuthority.root({ subjectAltName: undefined });
    expectPeer(() => verify([bare.leaf()], [bare]), []);
  });

  test("C18 a root without key usage is accepted", () => {
    const bare = TestAuthority.root({ keyUsage: undefined });
    expectPeer(() => verify([bare.leaf()], [bare]), ["key_usage_missing"]);
  });

  test("C19 a certificate in the bundle that is not a CA, but signed the leaf, is refused", () => {
    const noCa = TestAuthority.root({ basicConstraints: basicConstraints(false) });
    assert.throws(() => verify([noCa.leaf()], [noCa]), spiffeRefused("chain_untrusted"));
  });

  test("C20 a root that is repeated in the chain is accepted", () => {
    assert.equal(verify([leaf, intermediate, root]).path.length, 3);
  });

  test("C21 an intermediate before the leaf is refused, and not loaded", () => {
    assert.throws(() => verify([intermediate, leaf]), spiffeRefused("svid_no_path"));
    assert.throws(() => load(intermediate, leaf), spiffeRefused("svid_no_path"));
    const [low, high] = under({ subjectAltName: uriSan("spiffe://td.test/ca") });
    assert.throws(() => verify([high, low]), spiffeRefused("svid_is_ca"));
  });

  test("C22 an unrelated CA at the end is passed over", () => {
    assert.equal(verify([leaf, intermediate, TestAuthority.root()]).path.length, 3);
  });

  test("C23 an unrelated leaf at the end is passed over in a peer's chain, and not loaded", () => {
    assert.equal(verify([leaf, intermediate, root.leaf()]).path.length, 3);
    assert.throws(() => load(leaf, intermediate, root.leaf()), spiffeRefused("svid_chain"));
  });

  test("C24 two intermediates out of order are accepted", () => {
    const lower = intermediate.intermediate({}, "lower");
    const chain = [lower.leaf(), intermediate, lower];
    assert.equal(verify(chain).path.length, 4);
  });

  test("C25 an intermediate as the only authority is accepted", () => {
    assert.equal(verify([leaf], [intermediate]).path.length, 2);
  });
});

suite("RFC 5280 4.2.1.10: name constraints", () => {
  const permitted = (host: string): Shape => ({ extra: [nameConstraints([uriName(host)])] });
  const rows: readonly (readonly [string, Shape, trustDomain: string, Outcome])[] = [
    ["N01 permitted host and the same trust domain", permitted("td.test"), "td.test", []],
    [
      "N02 permitted host and another trust domain",
      permitted("td.test"),
      "other.test",
      "chain_name_constraints",
    ],
    [
      "N03 permitted host and a trust domain below it",
      permitted("td.test"),
      "sub.td.test",
      "chain_name_constraints",
    ],
    ["N04 permitted domain and a trust domain in it", permitted(".td.test"), "sub.td.test", []],
    [
      "N04 permitted domain and the bare domain",
      permitted(".td.test"),
      "td.test",
      "chain_name_constraints",
    ],
    [
      "N05 excluded host and the same trust domain",
      { extra: [nameConstraints([], [uriName("td.test")])] },
      "td.test",
      "chain_name_constraints",
    ],
    [
      "N06 permitted DNS names and no DNS name",
      { extra: [nameConstraints([dnsName("example.org")])] },
      "td.test",
      [],
    ],
    [
      "N07 permitted host and a trust domain that is an IP address",
      permitted("1.2.3.4"),
      "1.2.3.4",
      "chain_name_constraints",
    ],
  ];
  for (const [title, constraints, name, outcome] of rows) {
    for (const where of ["intermediate", "root"] as const) {
      test(`${title}, on the ${where}: ${typeof outcome === "string" ? "refused" : "accepted"}`, () => {
        const bare = { subjectAltName: undefined };
        const top = TestAuthority.root({ ...bare, ...(where === "root" ? constraints : {}) });
        const between = top.intermediate({
          ...bare,
          ...(where === "intermediate" ? constraints : {}),
        });
        const leaf = between.leaf({ subjectAltName: uriSan(`spiffe://${name}/w`) });
        const bundle = new Bundle(TrustDomain.parse(name), { x509Authorities: [top.certificate] });
        const chain = [leaf, between].map((issued) => Certificate.parse(issued.der));
        expectPeer(() => verifyX509Svid(chain, bundle, testNow), outcome);
      });
    }
  }

  test("a constraint on a kind of name that we cannot check is refused where such a name occurs", () => {
    const email = der.contextValue(1, der.asciiBytes("example.org"));
    const constrained = TestAuthority.root({ extra: [nameConstraints([email])] });
    assert.equal(verify([constrained.leaf()], [constrained]).path.length, 2);
    const names = [uriName("spiffe://td.test/w"), der.contextValue(1, der.asciiBytes("a@b.c"))];
    const leaf = constrained.leaf({ subjectAltName: subjectAltName(names) });
    assert.throws(() => verify([leaf], [constrained]), spiffeRefused("chain_name_constraints"));
  });
});

suite("RFC 5280 4.2: critical extensions", () => {
  const unknown = (critical: boolean): Shape => ({
    extra: [extension("1.3.6.1.4.1.99999.1", der.nullValue(), critical)],
  });

  test("E01 an unknown critical extension on the leaf is refused", () => {
    assert.throws(
      () => verify([root.leaf(unknown(true))]),
      spiffeRefused("certificate_critical_extension"),
    );
  });

  test("E02 an unknown extension that is not critical is accepted", () => {
    assert.equal(verify([root.leaf(unknown(false))]).id.path, "/w");
  });

  test("E03 an unknown critical extension on an intermediate is refused", () => {
    const intermediate = root.intermediate(unknown(true));
    assert.throws(
      () => verify([intermediate.leaf(), intermediate]),
      spiffeRefused("certificate_critical_extension"),
    );
  });
});

suite("X509-SVID: keys and signatures", () => {
  for (const type of ["P-384", "P-521", "P-224", "ed25519", "rsa-2048"] as const) {
    test(`A01 a leaf with a ${type} key is accepted and loaded`, () => {
      const leaf = root.leaf({ key: testKey(type) });
      assert.equal(verify([leaf]).id.path, "/w");
      assert.equal(load(leaf).id.path, "/w");
    });
  }

  test("A02 a leaf that was signed with RSASSA-PSS is accepted", () => {
    const rsaRoot = TestAuthority.root({ key: testKey("rsa-2048") });
    const leaf = rsaRoot.leaf({ signature: rsaPssSha256 });
    assert.equal(verify([leaf], [rsaRoot]).id.path, "/w");
  });

  test("A03 a leaf that was signed with SHA-1 is refused", () => {
    const leaf = root.leaf({ signature: ecdsaSha1 });
    assert.throws(() => verify([leaf]), spiffeRefused("signature_algorithm"));
  });

  test("a leaf that was signed with a short RSA key is refused", () => {
    const weak = TestAuthority.root({ key: testKey("rsa-1024") });
    assert.throws(() => verify([weak.leaf()], [weak]), spiffeRefused("chain_untrusted"));
  });

  test("X509-28 a leaf that was changed after it was signed is refused", () => {
    const leaf = root.leaf();
    const changed = Buffer.from(leaf.der);
    changed.write("v", changed.indexOf("spiffe://td.test/w") + "spiffe://td.test/".length);
    assert.throws(() => verify([{ ...leaf, der: changed }]), spiffeRefused("chain_untrusted"));
  });
});

suite("Workload API 5.2.1: the X509SVID message", () => {
  const leaf = root.leaf();
  const intermediate = root.intermediate();
  const spiffeId = SpiffeId.parse("spiffe://td.test/w");
  const parse = (certificates: Uint8Array, privateKey: Uint8Array): X509Svid =>
    X509Svid.parse({ certificates, privateKey, spiffeId });

  test("R01 concatenated certificates and a PKCS#8 key are loaded and written back alike", () => {
    const below = intermediate.leaf();
    const certificates = Buffer.concat([below.der, intermediate.der]);
    const svid = parse(certificates, pkcs8(below));
    assert.deepEqual(Buffer.from(svid.certificatesDer), certificates);
    assert.deepEqual(Buffer.from(svid.privateKeyPkcs8), Buffer.from(pkcs8(below)));
  });

  test("R02 no certificates are refused", () => {
    assert.throws(() => parse(new Uint8Array(), pkcs8(leaf)), spiffeRefused("svid_empty"));
  });

  const badKeys: readonly (readonly [string, Uint8Array])[] = [
    ["R03 no key", new Uint8Array()],
    ["R04 a key in SEC1", leaf.privateKey.export({ format: "der", type: "sec1" })],
    [
      "R04 a key in PKCS#1",
      testKey("rsa-2048").privateKey.export({ format: "der", type: "pkcs1" }),
    ],
    [
      "R05 an encrypted key",
      leaf.privateKey.export({
        format: "der",
        type: "pkcs8",
        cipher: "aes-256-cbc",
        passphrase: "x",
      }),
    ],
    ["R08 a byte after the key", Buffer.concat([pkcs8(leaf), Buffer.of(0)])],
    ["R09 the key of another pair", pkcs8(testKey())],
    ["R09 a key of another type", pkcs8(testKey("rsa-2048"))],
  ];
  for (const [title, key] of badKeys) {
    test(`${title}: refused`, () => {
      assert.throws(() => parse(leaf.der, key), spiffeRefused("svid_private_key"));
    });
  }

  test("R07 a byte after the certificates is refused", () => {
    const certificates = Buffer.concat([leaf.der, Buffer.of(0)]);
    assert.throws(() => parse(certificates, pkcs8(leaf)), spiffeRefused("der_malformed"));
  });

  test("R11 certificates that are cut off are refused at every length", () => {
    for (let length = 1; length < leaf.der.length; length++) {
      assert.throws(
        () => parse(leaf.der.subarray(0, length), pkcs8(leaf)),
        spiffeRefused("der_malformed"),
      );
    }
  });

  test("R12 an ID that is not the one in the certificate is refused", () => {
    const other = root.leaf({ subjectAltName: uriSan("spiffe://td.test/v") });
    assert.throws(() => parse(other.der, pkcs8(other)), spiffeRefused("svid_id_mismatch"));
  });

  test("R13 an empty bundle means no authorities", () => {
    assert.deepEqual(parseX509Authorities(new Uint8Array()), { authorities: [], findings: [] });
  });

  test("R14 a certificate that is twice in a bundle counts once", () => {
    const { authorities, findings } = parseX509Authorities(Buffer.concat([root.der, root.der]));
    assert.equal(authorities.length, 1);
    assert.deepEqual(findings, [
      { code: "duplicate_dropped", message: "certificate 1 is a duplicate" },
    ]);
  });

  test("R15 a leaf in a bundle is dropped", () => {
    const { authorities, findings } = parseX509Authorities(Buffer.concat([root.der, leaf.der]));
    assert.equal(authorities.length, 1);
    assert.deepEqual(findings, [
      { code: "not_a_ca", message: "certificate 1 is not a CA certificate" },
    ]);
  });

  test("WL-22 PEM in place of DER is refused", () => {
    const pem = Buffer.from("-----BEGIN CERTIFICATE-----\n");
    assert.throws(() => parseConcatenatedCertificates(pem), spiffeRefused("der_malformed"));
  });
});
