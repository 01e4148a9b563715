import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { survives } from "../../test/support/hostile.ts";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import { testKey } from "../../test/support/test-ca.ts";
import { formatPublicJwk, hasPrivateMembers, parsePublicJwk } from "./jwk.ts";

suite("JWK", () => {
  for (const type of ["P-256", "P-384", "P-521", "rsa-2048", "ed25519"] as const) {
    test(`a ${type} key is read as it was written, and its private half never is`, () => {
      const { publicKey, privateKey } = testKey(type);
      assert.ok(parsePublicJwk({ ...formatPublicJwk(publicKey) }).equals(publicKey));
      assert.deepEqual(formatPublicJwk(privateKey), formatPublicJwk(publicKey));
      assert.equal(hasPrivateMembers({ ...formatPublicJwk(privateKey) }), false);
    });
  }

  test("a key that JWK does not know is the programmer's mistake", () => {
    assert.throws(() => formatPublicJwk(testKey("P-224").publicKey), { name: "Error" });
  });

  test("sees members of private and of secret keys", () => {
    for (const name of ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]) {
      assert.equal(hasPrivateMembers({ kty: "RSA", [name]: null }), true);
    }
  });

  const ec: Readonly<Record<string, string>> = { ...formatPublicJwk(testKey().publicKey) };
  const rsa: Readonly<Record<string, string>> = {
    ...formatPublicJwk(testKey("rsa-2048").publicKey),
  };
  test("refuses members that are missing or have another form", () => {
    const bad = [
      { ...ec, x: "" },
      { ...ec, x: `${ec["x"]}=` },
      { ...ec, x: 1n },
      { ...rsa, n: `AA${rsa["n"]}` },
      { ...rsa, e: "" },
      { ...rsa, e: "AAEAAQ" },
      { kty: "RSA", e: "AQAB" },
      { kty: "OKP", crv: "Ed25519", x: "AA" },
    ];
    for (const jwk of bad) {
      assert.throws(() => parsePublicJwk(jwk), spiffeRefused("jwk_malformed"));
    }
  });

  test("refuses keys of other kinds, and RSA keys that are short", () => {
    const short = { ...formatPublicJwk(testKey("rsa-1024").publicKey) };
    const bad = [
      { kty: "oct", k: "AA" },
      { ...ec, crv: "P-192" },
      { kty: "OKP", crv: "X25519" },
      short,
      {},
    ];
    for (const jwk of bad) {
      assert.throws(() => parsePublicJwk(jwk), spiffeRefused("jwk_unsupported"));
    }
  });

  test("any object is read or refused", () => {
    const member = fc.oneof(
      fc.base64String(),
      fc.constantFrom("RSA", "EC", "OKP", "P-256"),
      fc.bigInt(),
    );
    const jwk = fc.record(
      {
        kty: fc.constantFrom("RSA", "EC", "OKP", "x"),
        crv: member,
        x: member,
        y: member,
        n: member,
        e: member,
      },
      { requiredKeys: ["kty"] },
    );
    fc.assert(fc.property(jwk, (value) => survives(() => parsePublicJwk(value))));
  });
});
