import "reflect-metadata";
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BasicConstraintsExtension, X509CertificateGenerator } from "@peculiar/x509";
import fc from "fast-check";
import { StatusError } from "../../runtime/errors/status-error.ts";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { refused } from "../../test/support/refused.ts";
import {
  BundleSchema,
  JWTKeySchema,
  type Bundle as WireBundle,
} from "../gen/spire/api/types/bundle_pb.ts";
import {
  decodeBundle,
  decodeKeyAuthorities,
  decodeX509Authorities,
  encodeBundle,
  MAX_AUTHORITIES,
} from "./bundle.ts";

const exampleTest = TrustDomain.parse("example.test");

async function makeCertificate(ca: boolean): Promise<Certificate> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(0),
    notAfter: new Date(1_000_000),
    extensions: [new BasicConstraintsExtension(ca, undefined, true)],
  });
  return Certificate.parse(new Uint8Array(certificate.rawData));
}

const first = await makeCertificate(true);
const second = await makeCertificate(true);
const leaf = await makeCertificate(false);
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;

const bundle = new Bundle(exampleTest, {
  x509Authorities: [first, second],
  jwtAuthorities: [
    { keyId: "a", publicKey: ec, tainted: false },
    { keyId: "b", publicKey: rsa, tainted: true, expiresAt: new Date(60_000) },
  ],
  witAuthorities: [{ keyId: "w", publicKey: ec, tainted: false }],
  sequence: 2n ** 64n - 1n,
  refreshHintSeconds: 300,
});

const encoded = encodeBundle(bundle, (authority) => authority.equals(second));

function spki(key: typeof ec): Uint8Array {
  return new Uint8Array(key.export({ type: "spki", format: "der" }));
}

describe("a bundle", () => {
  it("arrives as it was sent, tainted authorities and all 64 bits of the sequence included", () => {
    const message = fromBinary(BundleSchema, toBinary(BundleSchema, encoded));
    assert.ok(decodeBundle("bundle", message).equals(bundle));
    const { tainted } = decodeX509Authorities("authorities", message.x509Authorities);
    assert.deepEqual(
      tainted.map((one) => one.equals(second)),
      [true],
    );
  });

  it("may be empty", () => {
    const empty = new Bundle(exampleTest);
    assert.ok(decodeBundle("bundle", encodeBundle(empty)).equals(empty));
  });

  it("holds an authority once that was sent twice, tainted if either was", () => {
    const message = create(BundleSchema, {
      trustDomain: "spiffe://example.test",
      x509Authorities: [{ asn1: first.der, tainted: true }, { asn1: first.der }],
      jwtAuthorities: [
        { keyId: "a", publicKey: spki(ec) },
        { keyId: "a", publicKey: spki(ec) },
      ],
    });
    const read = decodeBundle("bundle", message);
    assert.equal(read.x509Authorities.length, 1);
    assert.equal(read.jwtAuthorities.size, 1);
    assert.equal(decodeX509Authorities("a", message.x509Authorities).tainted.length, 1);
  });

  type BundleInit = Exclude<MessageInitShape<typeof BundleSchema>, WireBundle>;
  const bad: readonly (readonly [string, BundleInit])[] = [
    [
      "bundle.x509_authorities[0].asn1: is not a CA certificate",
      { x509Authorities: [{ asn1: leaf.der }] },
    ],
    ["bundle.jwt_authorities[0].key_id: must not be empty", { jwtAuthorities: [{}] }],
    [
      "bundle.jwt_authorities[0].public_key: public key is invalid or not supported",
      { jwtAuthorities: [{ keyId: "a", publicKey: Uint8Array.of(1, 2, 3) }] },
    ],
    ["bundle.refresh_hint: must be between 0 and 2147483647", { refreshHint: -1n }],
  ];
  for (const [message, fields] of bad) {
    it(`is refused with "${message}"`, () => {
      const wire = create(BundleSchema, { trustDomain: "example.test", ...fields });
      assert.throws(() => decodeBundle("bundle", wire), refused(message));
    });
  }

  it("is refused with more than one certificate in the place of one", () => {
    const asn1 = Buffer.concat([first.der, second.der]);
    const wire = create(BundleSchema, { trustDomain: "example.test", x509Authorities: [{ asn1 }] });
    assert.throws(
      () => decodeBundle("bundle", wire),
      /^StatusError: bundle\.x509_authorities\[0\]\.asn1: /,
    );
  });

  it("is read or refused, whatever the bytes", () => {
    const seed = toBinary(BundleSchema, encoded);
    const mutation = fc.tuple(fc.nat(seed.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        const bytes = Uint8Array.from(seed);
        for (const [position, value] of mutations) bytes[position] = value;
        let wire: WireBundle;
        try {
          wire = fromBinary(BundleSchema, bytes);
        } catch {
          return;
        }
        try {
          decodeBundle("bundle", wire);
        } catch (err) {
          assert.ok(err instanceof StatusError);
        }
      }),
    );
  });
});

describe("decodeKeyAuthorities", () => {
  it("refuses two keys under one ID", () => {
    const keys = [
      create(JWTKeySchema, { keyId: "a", publicKey: spki(ec) }),
      create(JWTKeySchema, { keyId: "a", publicKey: spki(rsa) }),
    ];
    assert.throws(
      () => decodeKeyAuthorities("keys", keys),
      refused("keys[1].key_id: belongs to another key of the list"),
    );
  });

  it("refuses a key by which no token is signed", () => {
    const { publicKey } = generateKeyPairSync("ed25519");
    const keys = [create(JWTKeySchema, { keyId: "a", publicKey: spki(publicKey) })];
    assert.throws(
      () => decodeKeyAuthorities("keys", keys),
      refused("keys[0].public_key: is neither an EC nor an RSA key"),
    );
  });

  it("refuses more than its limit before it looks at any", () => {
    const keys = Array.from({ length: MAX_AUTHORITIES + 1 }, () => create(JWTKeySchema));
    assert.throws(
      () => decodeKeyAuthorities("keys", keys),
      refused("keys: has 1025 items, at most 1024 are allowed"),
    );
  });
});
