// WIT-SVID: which tokens a verifier takes, and what is still missing when it has. Vectors W. Everything is good unless the
// row says otherwise: ES256, a WIT authority of td.test, sub spiffe://td.test/w, a P-256 key to confirm.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { suite, test } from "node:test";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { BundleSet } from "../../spiffe/bundle/bundle-set.ts";
import type { SpiffeErrorCode } from "../../spiffe/error.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { formatPublicJwk } from "../../spiffe/jwt/jwk.ts";
import { jwsAlgorithms, signWithKey } from "../../spiffe/jwt/jws-algorithm.ts";
import { verifyJwtSvid } from "../../spiffe/svid/jwt-svid.ts";
import {
  readWitSvid,
  type UnprovenWitSvid,
  verifyWitSvid,
  type WitVerifyOptions,
} from "../../spiffe/svid/wit-svid.ts";
import { parseWitSvidKey } from "../../spiffe/svid/wit-svid-key.ts";
import {
  createWorkloadProof,
  type ProofContext,
  type ProofRequest,
  readWitPresentation,
  verifyWorkloadProof,
} from "../../spiffe/svid/workload-proof.ts";
import { spiffeRefused } from "../support/spiffe-refused.ts";
import { secondsFromNow, testKey, testNow } from "../support/test-ca.ts";
import { inSeconds, makeToken, type Sign, signed } from "../support/test-token.ts";

const keys = {
  es256: testKey("P-256"),
  es384: testKey("P-384"),
  es512: testKey("P-521"),
  rsa: testKey("rsa-2048"),
  ed25519: testKey("ed25519"),
} as const;
const jwtKey = testKey("P-256");
const workloadKey = testKey("P-256");
const workloadJwk = { ...formatPublicJwk(workloadKey.publicKey), alg: "ES256" };

const bundles = new BundleSet([
  new Bundle(TrustDomain.parse("td.test"), {
    witAuthorities: Object.entries(keys).map(([keyId, { publicKey }]) => ({ keyId, publicKey })),
    jwtAuthorities: [{ keyId: "jwt", publicKey: jwtKey.publicKey }],
  }),
  new Bundle(TrustDomain.parse("jwt-only.test"), {
    jwtAuthorities: [{ keyId: "es256", publicKey: keys.es256.publicKey }],
  }),
]);

const goodHeader = { alg: "ES256", kid: "es256", typ: "wit+jwt" };
const goodPayload = {
  sub: "spiffe://td.test/w",
  exp: inSeconds(300),
  cnf: { jwk: workloadJwk },
};
const goodSign = signed("ES256", keys.es256.privateKey);

function withHeader(changes: object, sign: Sign = goodSign): string {
  return makeToken({ ...goodHeader, ...changes }, goodPayload, sign);
}

function withClaims(changes: object): string {
  return makeToken(goodHeader, { ...goodPayload, ...changes }, goodSign);
}

/** A token whose confirmed key has some members changed. */
function withJwk(changes: object): string {
  return withClaims({ cnf: { jwk: { ...workloadJwk, ...changes } } });
}

function verify(token: string, options?: WitVerifyOptions): Promise<UnprovenWitSvid> {
  return verifyWitSvid(token, bundles, testNow, options);
}

/** A row without code is one to accept. */
function run(rows: readonly (readonly [string, string, SpiffeErrorCode?])[]): void {
  for (const [title, token, code] of rows) {
    test(`${title}: ${code === undefined ? "accepted" : "refused"}`, async () => {
      if (code === undefined) assert.equal((await verify(token)).token, token);
      else await assert.rejects(verify(token), spiffeRefused(code));
    });
  }
}

suite("WIT-SVID 2: header", () => {
  const hmac: Sign = (data) => createHmac("sha256", "secret").update(data).digest();
  run([["W-01 the baseline, which is not proven yet", withHeader({})]]);
  run(
    jwsAlgorithms.map((alg) => {
      const name = alg.startsWith("ES") ? alg.toLowerCase() : "rsa";
      const key = { es256: keys.es256, es384: keys.es384, es512: keys.es512 }[name] ?? keys.rsa;
      const title = `${alg === "RS256" ? "W-02" : "W-03"} an issuer that signs ${alg}`;
      return [title, withHeader({ alg, kid: name }, signed(alg, key.privateKey))];
    }),
  );
  run([
    ["W-04 HS256", withHeader({ alg: "HS256" }, hmac), "jws_algorithm"],
    ["W-04 none", withHeader({ alg: "none" }, () => new Uint8Array()), "jws_algorithm"],
    ["W-05 EdDSA", withHeader({ alg: "EdDSA", kid: "ed25519" }), "jws_algorithm"],
    ["W-06 typ JWT", withHeader({ typ: "JWT" }), "jws_type"],
    ["W-07 typ WIT+JWT", withHeader({ typ: "WIT+JWT" }), "jws_type"],
    ["W-08 typ application/wit+jwt", withHeader({ typ: "application/wit+jwt" }), "jws_type"],
    ["W-11 no typ", withHeader({ typ: undefined }), "jws_type"],
    ["WIT-02 no kid", withHeader({ kid: undefined }), "jws_key_id"],
    ["WIT-02 an empty kid", withHeader({ kid: "" }), "jws_key_id"],
    ["W-14 kid in another case", withHeader({ kid: "ES256" }), "jws_key_id"],
    [
      "T7 kid of a JWT authority",
      withHeader({ kid: "jwt" }, signed("ES256", jwtKey.privateKey)),
      "jws_key_id",
    ],
    ["WIT-09 an unknown header parameter", withHeader({ foo: 1 })],
    ["W-16 crit foo", withHeader({ crit: ["foo"], foo: 1 }), "jws_critical"],
  ]);
});

suite("WIT-SVID 3: claims", () => {
  run([
    ["W-17 no sub", withClaims({ sub: undefined }), "jwt_subject"],
    ["W-18 a wimse URI for sub", withClaims({ sub: "wimse://td.test/w" }), "jwt_subject"],
    ["W-19 a malformed ID for sub", withClaims({ sub: "spiffe://td.test/w/" }), "jwt_subject"],
    ["W-20 sub without path", withClaims({ sub: "spiffe://td.test" })],
    [
      "W-21 sub of a trust domain without WIT authorities",
      withClaims({ sub: "spiffe://jwt-only.test/w" }),
      "jws_key_id",
    ],
    [
      "W-21 sub of an unknown trust domain",
      withClaims({ sub: "spiffe://x.test/w" }),
      "bundle_not_found",
    ],
    ["W-22 no exp", withClaims({ exp: undefined }), "jwt_claims"],
    ["W-23 exp 30 s ago", withClaims({ exp: inSeconds(-30) })],
    ["W-24 exp 90 s ago", withClaims({ exp: inSeconds(-90) }), "jwt_expired"],
    ["W-25 nbf in the past", withClaims({ nbf: inSeconds(-10) })],
    ["W-26 nbf in 30 s", withClaims({ nbf: inSeconds(30) }), "jwt_not_yet_valid"],
    ["W-26 nbf in 90 s", withClaims({ nbf: inSeconds(90) }), "jwt_not_yet_valid"],
    ["W-27 iat in 90 s", withClaims({ iat: inSeconds(90) })],
    ["WIT-24 aud with a value", withClaims({ aud: "aud1" }), "jwt_audience"],
    ["W-29 an empty list for aud", withClaims({ aud: [] }), "jwt_audience"],
    ["W-29b an unknown claim", withClaims({ foo: 1 })],
    ["W-30 an empty aud", withClaims({ aud: "" }), "jwt_audience"],
    ["W-31 null for aud", withClaims({ aud: null }), "jwt_audience"],
    ["W-32 iss", withClaims({ iss: "https://issuer.test" })],
  ]);

  test("AMB-24 the leeway for nbf can be set", async () => {
    const token = withClaims({ nbf: inSeconds(30) });
    assert.equal((await verify(token, { notBeforeLeewaySeconds: 30 })).id.path, "/w");
  });
});

suite("WIT-SVID 3.2: cnf", () => {
  const { kty, crv, x, y } = { ...workloadKey.publicKey.export({ format: "jwk" }) };
  const { d } = workloadKey.privateKey.export({ format: "jwk" });
  const code = "wit_confirmation";
  run([
    ["W-33 no cnf", withClaims({ cnf: undefined }), code],
    ["W-33 null for cnf", withClaims({ cnf: null }), code],
    ["W-33 an empty cnf", withClaims({ cnf: {} }), code],
    ["W-34 only kid", withClaims({ cnf: { kid: "1" } }), code],
    ["W-34 only jkt", withClaims({ cnf: { jkt: "1" } }), code],
    ["W-35 a text for cnf", withClaims({ cnf: "jwk" }), code],
    ["W-36 a text for jwk", withClaims({ cnf: { jwk: "x" } }), code],
    ["W-36 an empty jwk", withClaims({ cnf: { jwk: {} } }), code],
    ["W-37 jwk without alg", withClaims({ cnf: { jwk: { kty, crv, x, y } } }), code],
    ["W-38 a number for the alg of jwk", withJwk({ alg: 256 }), code],
    ["W-39 alg none in jwk", withJwk({ alg: "none" }), code],
    ["W-40 alg HS256 in jwk", withJwk({ alg: "HS256" }), code],
    ["W-42 alg RS256 on an EC key", withJwk({ alg: "RS256" }), code],
    ["W-42 alg ES384 on a P-256 key", withJwk({ alg: "ES384" }), code],
    ["W-43 the private key in jwk", withJwk({ d }), code],
    ["W-44 jwk and kid", withClaims({ cnf: { jwk: workloadJwk, kid: "1" } })],
    ["RFC-23 jwk and jku", withClaims({ cnf: { jwk: workloadJwk, jku: "https://x.test" } }), code],
    [
      "W-45 a symmetric key",
      withClaims({ cnf: { jwk: { kty: "oct", k: "AA", alg: "ES256" } } }),
      code,
    ],
    ["W-46 a point off the curve", withJwk({ y: x }), code],
  ]);
});

suite("WIT-SVID 4, 5: proof of possession", () => {
  const audience = "https://service.test/path";
  const token = withHeader({});
  const wit = readWitSvid(token);
  const prove = (changes: Partial<ProofRequest> = {}): Promise<string> =>
    createWorkloadProof({
      wit,
      privateKey: workloadKey.privateKey,
      audience,
      expiresAt: secondsFromNow(60),
      proofId: "proof-1",
      ...changes,
    });
  const check = async (proof: string, context: ProofContext = { audience }) =>
    verifyWorkloadProof(await verify(token), proof, context, testNow);
  const claims = { aud: audience, exp: inSeconds(60), jti: "1" };
  const raw = (header: object, payload: object, sign = signed("ES256", workloadKey.privateKey)) =>
    makeToken({ typ: "wpt+jwt", alg: "ES256", ...header }, { ...claims, ...payload }, sign);

  test("W-01 with a proof of its key the peer is who it says: accepted", async () => {
    const proven = await check(await prove());
    assert.equal(proven.id.toString(), "spiffe://td.test/w");
    assert.equal(proven.proofId, "proof-1");
    assert.equal(proven.expiresAt.getTime(), secondsFromNow(60).getTime());
  });

  test("W-47 one WIT-SVID twice, each time with a fresh proof: accepted", async () => {
    assert.equal((await check(await prove({ proofId: "1" }))).proofId, "1");
    assert.equal((await check(await prove({ proofId: "2" }))).proofId, "2");
  });

  test("W-48 a WIT-SVID as bearer token: not looked at", () => {
    assert.equal(readWitPresentation({ authorization: [`Bearer ${token}`] }), undefined);
  });

  test("W-49 a WIT-SVID without proof: not a presentation", () => {
    assert.equal(readWitPresentation({ "workload-identity-token": [token] }), undefined);
  });

  test("WIT-38 header fields that are there twice: not a presentation", () => {
    const headers = { "workload-identity-token": [token], "workload-proof-token": ["p"] };
    assert.deepEqual(readWitPresentation(headers), { wit: token, proof: "p" });
    const twice = { ...headers, "workload-proof-token": ["p", "q"] };
    assert.equal(readWitPresentation(twice), undefined);
  });

  const otherKey = testKey("P-256").privateKey;
  const rows: readonly (readonly [string, () => Promise<string> | string, SpiffeErrorCode])[] = [
    ["W-49 a proof of another key", () => prove({ privateKey: otherKey }), "jws_signature"],
    [
      "W-49 a proof in another algorithm",
      () => raw({ alg: "ES384" }, {}, signed("ES384", keys.es384.privateKey)),
      "jws_algorithm",
    ],
    ["W-49 an expired proof", () => prove({ expiresAt: secondsFromNow(-30) }), "jwt_expired"],
    ["W-49 nothing for a proof", () => "", "jws_malformed"],
    [
      "WIT-34 a proof that lives too long",
      () => prove({ expiresAt: secondsFromNow(3600) }),
      "jwt_claims",
    ],
    ["WIT-38 a proof of another type", () => raw({ typ: "JWT" }, {}), "jws_type"],
    [
      "WIT-38 a proof for another request",
      () => prove({ audience: "https://x.test" }),
      "jwt_audience",
    ],
    ["WIT-38 a proof without jti", () => raw({}, { jti: undefined }), "jwt_claims"],
    ["WIT-38 a proof for another WIT-SVID", () => raw({}, { wth: "x" }), "wit_confirmation"],
    [
      "WIT-38 a proof for an access token that was not sent",
      () => prove({ accessToken: "t" }),
      "wit_confirmation",
    ],
    ["WIT-38 a proof for tokens we do not know", () => raw({}, { oth: {} }), "wit_confirmation"],
  ];
  for (const [title, proof, code] of rows) {
    test(`${title}: refused`, async () => {
      await assert.rejects(check(await proof()), spiffeRefused(code));
    });
  }

  test("WIT-38 a proof binds the access token and the transaction token that are sent", async () => {
    const tokens = { accessToken: "a", transactionToken: "t" };
    const proof = await prove(tokens);
    assert.equal((await check(proof, { audience, ...tokens })).id.path, "/w");
    await assert.rejects(check(proof), spiffeRefused("wit_confirmation"));
  });
});

suite("Workload API 7.2.1: the WITSVID message", () => {
  const wit = readWitSvid(withHeader({}));
  const jwkOf = (key = workloadKey): string =>
    JSON.stringify(key.privateKey.export({ format: "jwk" }));

  test("W-51 the private key of the confirmed key: accepted", () => {
    const key = parseWitSvidKey(jwkOf(), wit);
    const data = Buffer.from("data");
    assert.equal(signWithKey(key, "ES256", data).length, 64);
  });

  const others: readonly (readonly [string, string])[] = [
    ["another private key", jwkOf(testKey("P-256"))],
    ["a private key of another type", jwkOf(keys.rsa)],
    ["a public key", JSON.stringify(workloadJwk)],
    ["not JSON", "secret"],
    ["not an object", "[]"],
  ];
  for (const [title, text] of others) {
    test(`W-51 ${title}: refused, without showing it`, () => {
      assert.throws(
        () => parseWitSvidKey(text, wit),
        spiffeRefused("svid_private_key", /^private key of a WIT-SVID: it is not [a-zA-Z -]+$/),
      );
    });
  }
});

suite("WIT-SVID 7.1: tokens of the other kind", () => {
  test("W-60 a WIT-SVID shown to a JWT-SVID verifier with the same key: refused", async () => {
    const bundle = new Bundle(TrustDomain.parse("td.test"), {
      jwtAuthorities: [{ keyId: "es256", publicKey: keys.es256.publicKey }],
    });
    await assert.rejects(
      verifyJwtSvid(withHeader({}), bundle, ["aud1"], testNow),
      spiffeRefused("jws_type"),
    );
  });

  test("W-61 a JWT-SVID shown to a WIT-SVID verifier: refused", async () => {
    const payload = { ...goodPayload, aud: ["aud1"], cnf: undefined };
    const token = makeToken({ ...goodHeader, typ: "JWT" }, payload, goodSign);
    await assert.rejects(verify(token), spiffeRefused("jws_type"));
  });
});
