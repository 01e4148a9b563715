// SPIFFE Trust Domain and Bundle 4: which bundle documents are taken, and what of them. Vectors B. "drop" means that the
// element is left out, with a finding, and the rest is kept.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Bundle, type JwtAuthority } from "../../spiffe/bundle/bundle.ts";
import {
  type BundleDocument,
  formatBundleDocument,
  MAX_REFRESH_HINT_SECONDS,
  parseBundleDocument,
} from "../../spiffe/bundle/bundle-document.ts";
import { parseTrustDomainKey } from "../../spiffe/bundle/bundle-set.ts";
import { formatWorkloadJwks, parseWorkloadJwks } from "../../spiffe/bundle/workload-jwks.ts";
import type { FindingCode } from "../../spiffe/finding.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { formatPublicJwk } from "../../spiffe/jwt/jwk.ts";
import { verifyX509Svid } from "../../spiffe/svid/x509-verify.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { spiffeRefused } from "../support/spiffe-refused.ts";
import { secondsFromNow, TestAuthority, testKey, testNow } from "../support/test-ca.ts";

const tdTest = TrustDomain.parse("td.test");
const root = TestAuthority.root();
const ecKey = testKey("P-256");
const rsaKey = testKey("rsa-2048");

const base64 = (der: Uint8Array): string => Buffer.from(der).toString("base64");
const x509Jwk = (authority = root) => ({
  use: "x509-svid",
  ...formatPublicJwk(authority.publicKey),
  x5c: [base64(authority.der)],
});
const x509 = x509Jwk();
const jwt = { use: "jwt-svid", kid: "jwt1", ...formatPublicJwk(ecKey.publicKey) };
const wit = { use: "wit-svid", kid: "wit1", ...formatPublicJwk(rsaKey.publicKey) };

/** Parses a document; an object is written as JSON first. */
function parse(document: unknown, options = { wit: true }): BundleDocument {
  const text = typeof document === "string" ? document : JSON.stringify(document);
  return parseBundleDocument(tdTest, text, options);
}

/** How many X.509, JWT and WIT authorities there are. */
function counts({ bundle }: BundleDocument): readonly number[] {
  return [bundle.x509Authorities.length, bundle.jwtAuthorities.size, bundle.witAuthorities.size];
}

function codes({ findings }: BundleDocument): readonly FindingCode[] {
  return findings.map(({ code }) => code);
}

function refusesDocument(title: string, document: unknown): void {
  test(`${title}: the document is refused`, () => {
    assert.throws(() => parse(document), spiffeRefused("bundle_malformed"));
  });
}

suite("Trust Domain and Bundle 4.1: the document", () => {
  test("B-01 an empty list of keys is accepted, and nothing of the trust domain is valid", () => {
    const { bundle, findings } = parse('{"keys":[]}');
    assert.deepEqual(counts({ bundle, findings }), [0, 0, 0]);
    const leaf = Certificate.parse(root.leaf().der);
    assert.throws(() => verifyX509Svid([leaf], bundle, testNow), spiffeRefused("chain_untrusted"));
  });

  refusesDocument("B-02 no keys", {});
  refusesDocument("B-03 null for keys", { keys: null });
  refusesDocument("B-04 an object for keys", { keys: {} });
  refusesDocument("B-05 a text for keys", { keys: "" });
  refusesDocument("B-06 an empty body", "");
  refusesDocument("B-06 an array at the top", "[]");
  refusesDocument("B-06 junk after the object", '{"keys":[]}x');
  refusesDocument("B-07 a byte order mark", '\ufeff{"keys":[]}');

  test("B-07 a byte order mark, UTF-16 and broken UTF-8 as bytes are refused", () => {
    const text = '{"keys":[]}';
    const bad = [Buffer.from(`\ufeff${text}`), Buffer.from(text, "utf16le"), Buffer.of(0x7b, 0xff)];
    for (const bytes of bad) {
      assert.throws(() => parseBundleDocument(tdTest, bytes), spiffeRefused("bundle_malformed"));
    }
  });

  test("B-08 one X.509 and one JWT authority, a sequence and a hint are accepted", () => {
    const document = parse({ keys: [x509, jwt], spiffe_sequence: 1, spiffe_refresh_hint: 300 });
    assert.deepEqual(counts(document), [1, 1, 0]);
    assert.deepEqual(codes(document), []);
    assert.equal(document.bundle.sequence, 1n);
    assert.equal(document.bundle.refreshHintSeconds, 300);
    assert.ok(document.bundle.x509Authorities[0]?.equals(root.certificate));
    assert.ok(document.bundle.jwtAuthorities.get("jwt1")?.publicKey.equals(ecKey.publicKey));
  });

  for (const sequence of [0n, 1n, 9007199254740993n, 2n ** 63n, 2n ** 64n - 1n]) {
    test(`B-09 the sequence ${sequence} is kept as it is`, () => {
      const document = parse(`{"keys":[],"spiffe_sequence":${sequence}}`);
      assert.equal(document.bundle.sequence, sequence);
      assert.ok(formatBundleDocument(document.bundle).includes(`"spiffe_sequence":${sequence}`));
    });
  }

  refusesDocument("B-10 the sequence 2^64", `{"keys":[],"spiffe_sequence":${2n ** 64n}}`);
  for (const sequence of ["-1", "1.5", '"1"', "true"]) {
    refusesDocument(`B-11 the sequence ${sequence}`, `{"keys":[],"spiffe_sequence":${sequence}}`);
  }
  for (const sequence of ["1.0", "1e3"]) {
    refusesDocument(`B-12 the sequence ${sequence}`, `{"keys":[],"spiffe_sequence":${sequence}}`);
  }

  test("B-13 null for the sequence, or none, means that there is none", () => {
    assert.equal(parse({ keys: [], spiffe_sequence: null }).bundle.sequence, undefined);
    assert.equal(parse({ keys: [] }).bundle.sequence, undefined);
  });

  test("B-14 null for the hint, or none, means that there is none", () => {
    assert.equal(
      parse({ keys: [], spiffe_refresh_hint: null }).bundle.refreshHintSeconds,
      undefined,
    );
    assert.equal(parse({ keys: [] }).bundle.refreshHintSeconds, undefined);
  });

  const hints: readonly (readonly [vector: string, hint: string, seconds: number | undefined])[] = [
    ["B-15", "0", undefined],
    ["B-16", "-5", undefined],
    ["B-18", "9223372037", MAX_REFRESH_HINT_SECONDS],
    ["B-18", "99999999999", MAX_REFRESH_HINT_SECONDS],
    ["B-18", "9223372036854775807", MAX_REFRESH_HINT_SECONDS],
  ];
  for (const [vector, hint, seconds] of hints) {
    test(`${vector} the hint ${hint} is adjusted`, () => {
      const document = parse(`{"keys":[],"spiffe_refresh_hint":${hint}}`);
      assert.equal(document.bundle.refreshHintSeconds, seconds);
      assert.deepEqual(codes(document), ["refresh_hint_adjusted"]);
    });
  }
  refusesDocument("B-17 the hint 300.5", { keys: [], spiffe_refresh_hint: 300.5 });
  refusesDocument("B-17 a text for the hint", { keys: [], spiffe_refresh_hint: "300" });

  test("B-19 unknown members are passed over, the old names among them", () => {
    const extra = { trust_domain: "other.test", sequence: 7, refresh_hint: 7, foo: [{}] };
    const { bundle, findings } = parse({ ...extra, keys: [jwt] });
    assert.equal(bundle.trustDomain.name, "td.test");
    assert.equal(bundle.sequence, undefined);
    assert.equal(bundle.refreshHintSeconds, undefined);
    assert.deepEqual(findings, []);
  });

  refusesDocument("B-25 keys twice", '{"keys":[],"keys":[]}');
  refusesDocument("B-27 KEYS in upper case", { KEYS: [] });

  test("B-64 a document that is far too large is refused", () => {
    const large = JSON.stringify({ keys: [], foo: "x".repeat(10_000_000) });
    assert.throws(() => parse(large), spiffeRefused("bundle_too_large"));
    const many = `{"keys":[${"1,".repeat(100_000)}1]}`;
    assert.throws(() => parse(many), spiffeRefused("bundle_too_large"));
  });
});

suite("Trust Domain and Bundle 4.2: X.509 authorities", () => {
  test("B-21 the same CA twice counts once", () => {
    const document = parse({ keys: [x509, x509] });
    assert.deepEqual(counts(document), [1, 0, 0]);
    assert.deepEqual(codes(document), ["duplicate_dropped"]);
  });

  test("B-22 a kid is passed over", () => {
    const document = parse({ keys: [{ ...x509, kid: "x" }] });
    assert.deepEqual(counts(document), [1, 0, 0]);
    assert.deepEqual(codes(document), ["key_id_not_expected"]);
  });

  test("B-23 a certificate that is not a CA is dropped", () => {
    const leaf = root.leaf();
    const jwk = { ...formatPublicJwk(leaf.publicKey), use: "x509-svid", x5c: [base64(leaf.der)] };
    const document = parse({ keys: [jwk, jwt] });
    assert.deepEqual(counts(document), [0, 1, 0]);
    assert.deepEqual(codes(document), ["not_a_ca"]);
  });

  test("B-24 an expired CA is kept, and verifies nothing", () => {
    const expired = TestAuthority.root({
      notBefore: secondsFromNow(-20),
      notAfter: secondsFromNow(-10),
    });
    assert.deepEqual(counts(parse({ keys: [x509Jwk(expired)] })), [1, 0, 0]);
  });

  test("B-34 only the first value of x5c counts", () => {
    const document = parse({ keys: [{ ...x509, x5c: [...x509.x5c, "garbage"] }] });
    assert.deepEqual(counts(document), [1, 0, 0]);
    assert.deepEqual(codes(document), []);
  });

  test("T15 the SPIFFE ID of a CA certificate does not matter", () => {
    const odd = TestAuthority.root({ subjectAltName: undefined });
    assert.deepEqual(counts(parse({ keys: [x509Jwk(odd)] })), [1, 0, 0]);
  });

  const { kty } = x509;
  const pem = `-----BEGIN CERTIFICATE-----\n${base64(root.der)}\n-----END CERTIFICATE-----\n`;
  const dropped: readonly (readonly [string, object])[] = [
    ["B-30 no x5c", { ...x509, x5c: undefined }],
    ["B-32 null for x5c", { ...x509, x5c: null }],
    ["B-32 an empty x5c", { ...x509, x5c: [] }],
    ["B-35 x5c in base64url", { ...x509, x5c: [Buffer.from(root.der).toString("base64url")] }],
    ["B-35 x5c in PEM", { ...x509, x5c: [pem] }],
    ["B-36 x5c without certificate", { ...x509, x5c: [base64(Buffer.from("hello"))] }],
    ["B-37 a text for x5c", { ...x509, x5c: base64(root.der) }],
    ["B-38 the key of another certificate", { ...x509, ...formatPublicJwk(ecKey.publicKey) }],
    ["B-39 no members of the key", { use: "x509-svid", kty, x5c: x509.x5c }],
  ];
  for (const [title, jwk] of dropped) {
    test(`${title}: the element is dropped`, () => {
      const document = parse({ keys: [jwk, jwt] });
      assert.deepEqual(counts(document), [0, 1, 0]);
      assert.deepEqual(codes(document), ["element_dropped"]);
    });
  }
});

suite("Trust Domain and Bundle 4.2: JWT and WIT authorities", () => {
  test("B-41 RSA and EC keys with kid are accepted", () => {
    const rsa = { use: "jwt-svid", kid: "jwt2", ...formatPublicJwk(rsaKey.publicKey) };
    assert.deepEqual(counts(parse({ keys: [jwt, rsa] })), [0, 2, 0]);
  });

  test("B-43 the same entry twice counts once", () => {
    const document = parse({ keys: [jwt, jwt] });
    assert.deepEqual(counts(document), [0, 1, 0]);
    assert.deepEqual(codes(document), ["duplicate_dropped"]);
  });

  const another = { ...jwt, ...formatPublicJwk(testKey("P-256").publicKey) };
  refusesDocument("B-44 one kid for two different keys", { keys: [jwt, another] });

  test("B-45 a WIT authority needs a kid", () => {
    assert.deepEqual(counts(parse({ keys: [wit] })), [0, 0, 1]);
    assert.deepEqual(counts(parse({ keys: [{ ...wit, kid: undefined }] })), [0, 0, 0]);
  });

  test("B-46 a JWT and a WIT authority with one kid are both kept", () => {
    const document = parse({ keys: [jwt, { ...wit, kid: jwt.kid }] });
    assert.deepEqual(counts(document), [0, 1, 1]);
    assert.deepEqual(codes(document), ["key_id_shared"]);
  });

  test("B-49 of a private key only the public part is kept", () => {
    const jwk = ecKey.privateKey.export({ format: "jwk" });
    const document = parse({ keys: [{ use: "jwt-svid", kid: "jwt1", ...jwk }] });
    assert.deepEqual(codes(document), ["private_key_published"]);
    assert.equal(document.bundle.jwtAuthorities.get("jwt1")?.publicKey.type, "public");
    assert.equal(formatBundleDocument(document.bundle).includes('"d"'), false);
  });

  test("B-55 a WIT authority is dropped where WIT-SVIDs are not in use", () => {
    const document = parse({ keys: [wit, jwt] }, { wit: false });
    assert.deepEqual(counts(document), [0, 1, 0]);
    assert.deepEqual(codes(document), ["element_dropped"]);
  });

  const curve = (crv: string, length: number): object => ({
    crv,
    x: Buffer.alloc(length, 1).toString("base64url"),
    y: Buffer.alloc(length, 2).toString("base64url"),
  });
  const { x = "", y = "" } = ecKey.publicKey.export({ format: "jwk" });
  const short = Buffer.from(x, "base64url").subarray(1).toString("base64url");
  const other = { ...jwt, kid: "bad" };
  const dropped: readonly (readonly [string, unknown])[] = [
    ["B-42 no kid", { ...other, kid: undefined }],
    ["B-42 an empty kid", { ...other, kid: "" }],
    ["B-42 a number for kid", { ...other, kid: 1 }],
    ["B-47 a symmetric key", { use: "jwt-svid", kid: "bad", kty: "oct", k: "AAAA" }],
    ["B-51 no use", { ...other, use: undefined }],
    ["B-51 null for use", { ...other, use: null }],
    ...["sig", "enc", "foo-svid", ""].map(
      (use) => [`B-52 use ${JSON.stringify(use)}`, { ...other, use }] as const,
    ),
    ...["X509-SVID", "JWT-SVID", "jwt-svid "].map(
      (use) => [`B-53 use ${JSON.stringify(use)}`, { ...other, use }] as const,
    ),
    ["B-56 kty FOO", { ...other, kty: "FOO" }],
    ["B-56 kty AKP", { ...other, kty: "AKP", alg: "ML-DSA-44", pub: "AA" }],
    ["B-57 kty FOO and an unknown use", { ...other, kty: "FOO", use: "foo" }],
    ["B-58 kty ec", { ...other, kty: "ec" }],
    ...[undefined, "", null, 1].map(
      (kty) => [`B-59 kty ${JSON.stringify(kty)}`, { ...other, kty }] as const,
    ),
    ["B-60 X25519", { ...other, kty: "OKP", crv: "X25519", x }],
    ["B-60 Ed25519, which no algorithm uses", { ...other, kty: "OKP", crv: "Ed25519", x }],
    ["B-61 P-192", { ...other, ...curve("P-192", 24) }],
    ["B-61 secp256k1", { ...other, ...curve("secp256k1", 32) }],
    ["B-62 a point off the curve", { ...other, x: y }],
    ["B-63 no y", { ...other, y: undefined }],
    ["B-63 a short coordinate", { ...other, x: short }],
    ["BND-11 an element that is no object", 1],
    [
      "J-19 an RSA key of 1024 bits",
      { ...other, ...formatPublicJwk(testKey("rsa-1024").publicKey) },
    ],
  ];
  for (const [title, jwk] of dropped) {
    test(`${title}: the element is dropped`, () => {
      const document = parse({ keys: [jwk, jwt] });
      assert.deepEqual(counts(document), [0, 1, 0]);
      assert.deepEqual(
        codes(document).filter((code) => code !== "private_key_published"),
        ["element_dropped"],
      );
    });
  }
});

suite("Workload API 6.2.2, 7.2.2: JWK Sets", () => {
  const read = (document: unknown, use: "jwt-svid" | "wit-svid" = "jwt-svid") => {
    const text = typeof document === "string" ? document : JSON.stringify(document);
    const { authorities, findings } = parseWorkloadJwks(use, Buffer.from(text));
    return [authorities.map(({ keyId }) => keyId), findings.map(({ code }) => code)];
  };

  test("B-70 an empty set is accepted", () => {
    assert.deepEqual(read({ keys: [] }), [[], []]);
  });

  for (const document of [{}, { keys: null }, ""]) {
    test(`${document === "" ? "B-72" : "B-71"} ${JSON.stringify(document)} is refused`, () => {
      assert.throws(() => read(document), spiffeRefused("bundle_malformed"));
    });
  }

  test("B-73 elements without use are accepted", () => {
    assert.deepEqual(read({ keys: [{ ...jwt, use: undefined }] }), [["jwt1"], []]);
    assert.deepEqual(read({ keys: [{ ...wit, use: undefined }] }, "wit-svid"), [["wit1"], []]);
  });

  test("B-76 elements of another use are dropped", () => {
    const keys = [x509, wit, jwt];
    assert.deepEqual(read({ keys }), [["jwt1"], ["element_dropped", "element_dropped"]]);
    assert.deepEqual(read({ keys }, "wit-svid"), [
      ["wit1"],
      ["element_dropped", "element_dropped"],
    ]);
  });

  test("B-78 an element without kid is dropped", () => {
    assert.deepEqual(read({ keys: [{ ...jwt, kid: undefined }, jwt] }), [
      ["jwt1"],
      ["element_dropped"],
    ]);
  });

  test("B-79 a trust domain is named by its ID or its name, and by nothing else", () => {
    assert.equal(parseTrustDomainKey("spiffe://td").name, "td");
    assert.equal(parseTrustDomainKey("td").name, "td");
    for (const key of ["spiffe://td/", "spiffe://td/path", "spiffe://", "spiffe://spiffe://td"]) {
      assert.throws(() => parseTrustDomainKey(key), { name: "SpiffeError" });
    }
  });

  test("WL-28 what we write is what we read", () => {
    const authorities = [{ keyId: "a", publicKey: ecKey.publicKey }];
    for (const use of ["jwt-svid", "wit-svid"] as const) {
      const parsed = parseWorkloadJwks(use, formatWorkloadJwks(use, authorities));
      assert.deepEqual(parsed.findings, []);
      assert.deepEqual(parsed.authorities, authorities);
    }
  });
});

suite("Trust Domain and Bundle 4: what we publish", () => {
  const authority = (
    keyId: string,
    type: "P-256" | "P-384" | "P-521" | "rsa-2048",
  ): JwtAuthority => ({
    keyId,
    publicKey: testKey(type).publicKey,
  });

  test("B-90 an empty bundle has an empty list of keys", () => {
    assert.equal(formatBundleDocument(new Bundle(tdTest)), '{"keys":[]}');
  });

  test("B-91 elements have the members of the standard and no others", () => {
    const bundle = new Bundle(tdTest, {
      x509Authorities: [root.certificate],
      jwtAuthorities: [{ keyId: "jwt1", publicKey: ecKey.publicKey }],
      witAuthorities: [{ keyId: "wit1", publicKey: rsaKey.publicKey }],
    });
    assert.deepEqual(JSON.parse(formatBundleDocument(bundle)), { keys: [x509, jwt, wit] });
  });

  test("B-92 the hint is written in whole seconds, rounded up", () => {
    const bundle = new Bundle(tdTest, { refreshHintSeconds: 299.2 });
    assert.equal(formatBundleDocument(bundle), '{"keys":[],"spiffe_refresh_hint":300}');
  });

  for (const count of [0, 1, 3]) {
    test(`B-94 a bundle with ${count} authorities of each kind is read as it was written`, () => {
      const names = Array.from({ length: count }, (_, index) => `key${index}`);
      const bundle = new Bundle(tdTest, {
        x509Authorities: names.map((name) => TestAuthority.root({}, name).certificate),
        jwtAuthorities: names.map((name) => authority(name, "P-384")),
        witAuthorities: names.map((name) => authority(`wit-${name}`, "P-521")),
        sequence: 2n ** 60n + 1n,
        refreshHintSeconds: 60,
      });
      const document = parse(formatBundleDocument(bundle));
      assert.ok(document.bundle.equals(bundle));
      assert.deepEqual(document.findings, []);
    });
  }
});
