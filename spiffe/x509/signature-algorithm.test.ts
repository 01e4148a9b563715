import assert from "node:assert/strict";
import { constants, sign } from "node:crypto";
import { suite, test } from "node:test";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import { rsaPssSha256, testKey } from "../../test/support/test-ca.ts";
import * as der from "./der-writer.ts";
import { HashOid, SignatureOid } from "./oids.ts";
import { parseSignatureAlgorithm, verifySignature } from "./signature-algorithm.ts";

const hashOf = (oid: string): Uint8Array => der.sequence(der.oid(oid), der.nullValue());
const mgf1 = (oid: string): Uint8Array => der.sequence(der.oid(HashOid.mgf1), hashOf(oid));
const pss = (...parameters: readonly Uint8Array[]): Uint8Array =>
  der.sequence(der.oid(SignatureOid.rsaPss), der.sequence(...parameters));

suite("parseSignatureAlgorithm", () => {
  test("reads RSASSA-PSS with its parameters", () => {
    assert.deepEqual(parseSignatureAlgorithm(rsaPssSha256.identifier), {
      key: "rsa",
      hash: "sha256",
      pssSaltLength: 32,
    });
  });

  test("reads RSA with NULL parameters and without", () => {
    const oid = der.oid(SignatureOid.sha384WithRsa);
    const expected = { key: "rsa", hash: "sha384" };
    assert.deepEqual(parseSignatureAlgorithm(der.sequence(oid, der.nullValue())), expected);
    assert.deepEqual(parseSignatureAlgorithm(der.sequence(oid)), expected);
  });

  test("refuses parameters where there are none", () => {
    const algorithm = der.sequence(der.oid(SignatureOid.ecdsaWithSha256), der.nullValue());
    assert.throws(() => parseSignatureAlgorithm(algorithm), spiffeRefused("der_malformed"));
  });

  const sha256 = der.context(0, hashOf(HashOid.sha256));
  const mask = der.context(1, mgf1(HashOid.sha256));
  const salt = der.context(2, der.integer(32));
  const refused: readonly (readonly [string, Uint8Array])[] = [
    ["SHA-1 with RSA", der.sequence(der.oid(SignatureOid.sha1WithRsa), der.nullValue())],
    ["SHA-1 with ECDSA", der.sequence(der.oid(SignatureOid.ecdsaWithSha1))],
    ["MD5 with RSA", der.sequence(der.oid("1.2.840.113549.1.1.4"), der.nullValue())],
    ["RSASSA-PSS with its defaults, which are SHA-1", pss()],
    ["RSASSA-PSS with SHA-1", pss(der.context(0, hashOf(HashOid.sha1)), mask, salt)],
    [
      "RSASSA-PSS with another hash in the mask",
      pss(sha256, der.context(1, mgf1(HashOid.sha384)), salt),
    ],
    [
      "RSASSA-PSS with another mask",
      pss(sha256, der.context(1, der.sequence(der.oid("1.2.3"), hashOf(HashOid.sha256))), salt),
    ],
    ["RSASSA-PSS with a huge salt", pss(sha256, mask, der.context(2, der.integer(100_000)))],
    ["RSASSA-PSS with another trailer", pss(sha256, mask, salt, der.context(3, der.integer(2)))],
  ];
  for (const [title, algorithm] of refused) {
    test(`refuses ${title}`, () => {
      assert.throws(() => parseSignatureAlgorithm(algorithm), spiffeRefused("signature_algorithm"));
    });
  }
});

suite("verifySignature", () => {
  const data = Buffer.from("data");
  const rsa = testKey("rsa-2048");
  const ec = testKey();

  test("tells the right key from others, given as key or as bytes", () => {
    const signature = sign("sha256", data, ec.privateKey);
    const algorithm = { key: "ec", hash: "sha256" } as const;
    const spki = ec.publicKey.export({ format: "der", type: "spki" });
    assert.equal(verifySignature(algorithm, ec.publicKey, data, signature), true);
    assert.equal(verifySignature(algorithm, spki, data, signature), true);
    assert.equal(verifySignature(algorithm, testKey().publicKey, data, signature), false);
    assert.equal(verifySignature(algorithm, rsa.publicKey, data, signature), false);
    assert.equal(verifySignature({ ...algorithm, hash: "sha384" }, spki, data, signature), false);
    assert.equal(verifySignature(algorithm, spki, data, Buffer.alloc(0)), false);
  });

  test("takes the padding and the salt that the algorithm names, and no others", () => {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    const signature = sign("sha256", data, { key: rsa.privateKey, padding, saltLength: 32 });
    const algorithm = { key: "rsa", hash: "sha256" } as const;
    const withSalt = (pssSaltLength: number) => ({ ...algorithm, pssSaltLength });
    assert.equal(verifySignature(withSalt(32), rsa.publicKey, data, signature), true);
    assert.equal(verifySignature(withSalt(20), rsa.publicKey, data, signature), false);
    assert.equal(verifySignature(algorithm, rsa.publicKey, data, signature), false);
  });
});
