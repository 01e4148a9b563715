import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { compactVerify } from "jose";
import { damagedText, survives, survivesLater } from "../../test/support/hostile.ts";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import { testKey } from "../../test/support/test-ca.ts";
import { makeToken, signed } from "../../test/support/test-token.ts";
import { createJws, isSignedWith, parseJws } from "./jws.ts";
import { isKeyForAlgorithm, jwsAlgorithms, signWithKey } from "./jws-algorithm.ts";

const key = testKey();
const sign = (data: Uint8Array): Uint8Array => signWithKey(key.privateKey, "ES256", data);
const header = { alg: "ES256", kid: "k", typ: "JWT" } as const;

suite("createJws and parseJws", () => {
  test("a token is read as it was made", async () => {
    const token = await createJws(header, { sub: "spiffe://td.test/w", n: 2n ** 64n }, sign);
    const jws = parseJws(token);
    assert.equal(jws.algorithm, "ES256");
    assert.equal(jws.keyId, "k");
    assert.equal(jws.type, "JWT");
    assert.equal(jws.payload["n"], 2n ** 64n);
    assert.equal(await isSignedWith(jws, key.publicKey), true);
    assert.equal(await isSignedWith(jws, testKey().publicKey), false);
    assert.equal(await isSignedWith(jws, testKey("rsa-2048").publicKey), false);
  });

  test("a token has the header parameters of the standard and no others", async () => {
    const [segment = ""] = (await createJws(header, {}, sign)).split(".");
    const text = Buffer.from(segment, "base64url").toString();
    assert.equal(text, '{"alg":"ES256","kid":"k","typ":"JWT"}');
  });

  test("a key that lives elsewhere may take its time to sign", async () => {
    const token = await createJws(header, {}, async (data) => Promise.resolve(sign(data)));
    assert.equal(await isSignedWith(parseJws(token), key.publicKey), true);
  });

  for (const algorithm of jwsAlgorithms) {
    test(`what is signed ${algorithm} others verify, and no other algorithm does`, async () => {
      const type = { ES256: "P-256", ES384: "P-384", ES512: "P-521" } as const;
      const pair = testKey(
        Object.hasOwn(type, algorithm) ? type[algorithm as "ES256"] : "rsa-2048",
      );
      const token = await createJws({ ...header, alg: algorithm }, {}, (data) =>
        signWithKey(pair.privateKey, algorithm, data),
      );
      await compactVerify(token, pair.publicKey, { algorithms: [algorithm] });
      assert.equal(await isSignedWith(parseJws(token), pair.publicKey), true);
    });
  }

  test("no key signs with an algorithm it is not for", () => {
    assert.equal(isKeyForAlgorithm(key.publicKey, "ES384"), false);
    assert.throws(() => signWithKey(key.privateKey, "RS256", Buffer.of()), {
      name: "TypeError",
      message: "the key is not one for RS256",
    });
  });
});

suite("parseJws", () => {
  test("judges the algorithm before anything else of the token", () => {
    assert.throws(
      () => parseJws(makeToken({ alg: "none", crit: [1] }, "not json", () => new Uint8Array())),
      spiffeRefused("jws_algorithm", "token header names no algorithm that is allowed"),
    );
  });

  test("says which part is wrong, and never shows it", () => {
    const token = makeToken(header, '{"secret":1,"secret":2}', signed("ES256", key.privateKey));
    assert.throws(
      () => parseJws(token),
      spiffeRefused("jws_malformed", "token payload: a JSON object has a member twice"),
    );
  });

  test("a damaged token is read or refused, and never passes as signed", async () => {
    const sample = await createJws(header, { sub: "spiffe://td.test/w", aud: ["a"], exp: 1 }, sign);
    await fc.assert(
      fc.asyncProperty(damagedText(sample, "ABCDxyz019-_.=+/ \n\u00e4"), async (token) => {
        await survivesLater(async () => {
          assert.ok(token === sample || !(await isSignedWith(parseJws(token), key.publicKey)));
        });
      }),
      { numRuns: 500 },
    );
  });

  test("any text is read or refused", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => survives(() => parseJws(text))));
  });
});
