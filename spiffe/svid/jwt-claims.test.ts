import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { survives, survivesLater } from "../../test/support/hostile.ts";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import { testKey, testNow } from "../../test/support/test-ca.ts";
import { inSeconds, makeToken, signed } from "../../test/support/test-token.ts";
import { Bundle } from "../bundle/bundle.ts";
import { TrustDomain } from "../id/spiffe-id.ts";
import { parseStrictJson } from "../json/strict-json.ts";
import { formatPublicJwk } from "../jwt/jwk.ts";
import { checkLifetime, readDate } from "./jwt-claims.ts";
import { readJwtSvid, verifyJwtSvid } from "./jwt-svid.ts";
import { readWitSvid, verifyWitSvid } from "./wit-svid.ts";

suite("readDate", () => {
  const read = (json: string): number | undefined => {
    const value = parseStrictJson(json, { maxLength: 500 });
    const claims = typeof value === "object" && value !== null ? {} : { exp: value };
    return readDate(claims, "exp")?.getTime();
  };

  test("reads seconds, with a fraction or without", () => {
    assert.equal(read("1700000000"), 1_700_000_000_000);
    assert.equal(read("1700000000.25"), 1_700_000_000_250);
    assert.equal(read("1.7e9"), 1_700_000_000_000);
    assert.equal(read("-1"), -1000);
    assert.equal(read("{}"), undefined);
  });

  test("refuses what is no time", () => {
    for (const json of [
      "8640000000001",
      "-8640000000001",
      "1e300",
      `1${"0".repeat(300)}`,
      '"1"',
      "null",
      "true",
    ]) {
      assert.throws(
        () => read(json),
        spiffeRefused("jwt_claims", '"exp" must be a time in seconds'),
      );
    }
    assert.equal(read("8640000000000"), 8.64e15);
  });
});

suite("checkLifetime", () => {
  const at = (ms: number): Date => new Date(ms);
  const check = (now: number, leewaySeconds: number): void =>
    checkLifetime({ expiresAt: at(10_000), notBefore: at(5000) }, at(now), {
      expirySeconds: leewaySeconds,
      notBeforeSeconds: leewaySeconds,
    });

  test("the beginning belongs to it, the end does not", () => {
    check(5000, 0);
    check(9999, 0);
    assert.throws(
      () => check(4999, 0),
      spiffeRefused("jwt_not_yet_valid", "token is not valid yet"),
    );
    assert.throws(() => check(10_000, 0), spiffeRefused("jwt_expired", "token has expired"));
  });

  test("the leeway moves both", () => {
    check(4000, 1);
    check(10_999, 1);
    assert.throws(() => check(3999, 1), spiffeRefused("jwt_not_yet_valid"));
    assert.throws(() => check(11_000, 1), spiffeRefused("jwt_expired"));
  });
});

suite("claims: properties", () => {
  const key = testKey();
  const bundle = new Bundle(TrustDomain.parse("td.test"), {
    jwtAuthorities: [{ keyId: "k", publicKey: key.publicKey }],
    witAuthorities: [{ keyId: "k", publicKey: key.publicKey }],
  });
  const jwk = { ...formatPublicJwk(key.publicKey), alg: "ES256" };
  const anything = fc.jsonValue({ maxDepth: 2 });
  const member = (...usual: readonly unknown[]) => fc.oneof(fc.constantFrom(...usual), anything);
  const claims = fc.record(
    {
      sub: member("spiffe://td.test/w", "spiffe://td.test/w/"),
      aud: member("a", ["a"], ["a", 1]),
      exp: member(inSeconds(60), inSeconds(-600)),
      nbf: member(inSeconds(0)),
      iat: member(inSeconds(0)),
      cnf: member({ jwk }, { jwk: { ...jwk, x: jwk.kty } }),
    },
    { requiredKeys: [] },
  );

  test("tokens with any claims are taken or refused", async () => {
    await fc.assert(
      fc.asyncProperty(claims, async (payload) => {
        const sign = signed("ES256", key.privateKey);
        const jwt = makeToken({ alg: "ES256", kid: "k", typ: "JWT" }, payload, sign);
        const wit = makeToken({ alg: "ES256", kid: "k", typ: "wit+jwt" }, payload, sign);
        survives(() => readJwtSvid(jwt));
        survives(() => readWitSvid(wit));
        await survivesLater(() => verifyJwtSvid(jwt, bundle, ["a"], testNow));
        await survivesLater(() => verifyWitSvid(wit, bundle, testNow));
      }),
      { numRuns: 300 },
    );
  });
});
