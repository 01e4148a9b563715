// JWT-SVID: which tokens a verifier accepts. Vectors J. Everything is good unless the row says otherwise: ES256, an authority
// of td.test, sub spiffe://td.test/w, audience aud1, five minutes to live.

import assert from "node:assert/strict";
import { createHmac, sign as cryptoSign, type KeyObject } from "node:crypto";
import { suite, test } from "node:test";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { BundleSet } from "../../spiffe/bundle/bundle-set.ts";
import type { SpiffeErrorCode } from "../../spiffe/error.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { type JwsAlgorithm, jwsAlgorithms } from "../../spiffe/jwt/jws-algorithm.ts";
import { type JwtSvid, readJwtSvid, verifyJwtSvid } from "../../spiffe/svid/jwt-svid.ts";
import { spiffeRefused } from "../support/spiffe-refused.ts";
import { type KeyPair, testKey, testNow } from "../support/test-ca.ts";
import { inSeconds, makeToken, type Sign, segment, signed } from "../support/test-token.ts";

const keys = {
  es256: testKey("P-256"),
  es384: testKey("P-384"),
  es512: testKey("P-521"),
  rsa: testKey("rsa-2048"),
  rsa1024: testKey("rsa-1024"),
  wit: testKey("P-256"),
  other: testKey("P-256"),
} as const;

const authority = (keyId: string, { publicKey }: KeyPair) => ({ keyId, publicKey });
const tdTest = TrustDomain.parse("td.test");
const bundles = new BundleSet([
  new Bundle(tdTest, {
    jwtAuthorities: [
      authority("es256", keys.es256),
      authority("es384", keys.es384),
      authority("es512", keys.es512),
      authority("rsa", keys.rsa),
      authority("rsa1024", keys.rsa1024),
    ],
    witAuthorities: [authority("wit", keys.wit)],
  }),
  // The same key ID as in td.test, on purpose.
  new Bundle(TrustDomain.parse("other.test"), { jwtAuthorities: [authority("es256", keys.other)] }),
]);

const goodHeader = { alg: "ES256", kid: "es256", typ: "JWT" };
const goodPayload = {
  sub: "spiffe://td.test/w",
  aud: ["aud1"],
  exp: inSeconds(300),
  iat: inSeconds(0),
};
const goodSign = signed("ES256", keys.es256.privateKey);

/** A token with some members of the header changed; `undefined` leaves one out. */
function withHeader(changes: object, sign: Sign = goodSign): string {
  return makeToken({ ...goodHeader, ...changes }, goodPayload, sign);
}

/** A token with some claims changed; `undefined` leaves one out. */
function withClaims(changes: object, sign: Sign = goodSign): string {
  return makeToken(goodHeader, { ...goodPayload, ...changes }, sign);
}

function verify(token: string, leewaySeconds?: number): Promise<JwtSvid> {
  const options = leewaySeconds === undefined ? {} : { leewaySeconds };
  return verifyJwtSvid(token, bundles, ["aud1"], testNow, options);
}

type Rows = readonly (readonly [title: string, token: string, code?: SpiffeErrorCode])[];

/** A row without code is one to accept. */
function run(rows: Rows): void {
  for (const [title, token, code] of rows) {
    test(`${title}: ${code === undefined ? "accepted" : "refused"}`, async () => {
      if (code === undefined) assert.equal((await verify(token)).token, token);
      else await assert.rejects(verify(token), spiffeRefused(code));
    });
  }
}

const good = withHeader({});
const [goodHeaderSegment = "", goodPayloadSegment = "", goodSignature = ""] = good.split(".");

suite("JWT-SVID 2.1: algorithms", () => {
  const keyFor = (algorithm: JwsAlgorithm): [string, KeyPair] => {
    const name = algorithm.startsWith("ES") ? algorithm.toLowerCase() : "rsa";
    return [name, { es256: keys.es256, es384: keys.es384, es512: keys.es512 }[name] ?? keys.rsa];
  };
  run(
    jwsAlgorithms.map((alg, index) => {
      const [kid, { privateKey }] = keyFor(alg);
      return [`J-0${index + 1} ${alg}`, withHeader({ alg, kid }, signed(alg, privateKey))];
    }),
  );

  const spki = keys.es256.publicKey.export({ format: "der", type: "spki" });
  const hmac: Sign = (data) => createHmac("sha256", spki).update(data).digest();
  run([
    ["J-10 none", withHeader({ alg: "none" }, () => new Uint8Array()), "jws_algorithm"],
    ["J-11 HS256 keyed with the public key", withHeader({ alg: "HS256" }, hmac), "jws_algorithm"],
    ...["ES256K", "A128KW", "RSA-OAEP", "ML-DSA-44"].map(
      (alg) => [`J-13 ${alg}`, withHeader({ alg }), "jws_algorithm"] as const,
    ),
    ...["es256", "ES 256", ""].map(
      (alg) => [`J-14 alg ${JSON.stringify(alg)}`, withHeader({ alg }), "jws_algorithm"] as const,
    ),
    ["J-15 no alg", withHeader({ alg: undefined }), "jws_algorithm"],
    ["J-15 a number for alg", withHeader({ alg: 256 }), "jws_algorithm"],
    ["J-16 ES384 with a P-256 key", withHeader({ alg: "ES384" }), "jws_signature"],
    [
      "J-17 RS256 and the kid of an EC key",
      withHeader({ alg: "RS256" }, signed("RS256", keys.rsa.privateKey)),
      "jws_signature",
    ],
    [
      "J-18 PS256 signed as RS256",
      withHeader({ alg: "PS256", kid: "rsa" }, signed("RS256", keys.rsa.privateKey)),
      "jws_signature",
    ],
    [
      "J-19 an RSA key of 1024 bits",
      withHeader({ alg: "RS256", kid: "rsa1024" }, (data) =>
        cryptoSign("sha256", data, keys.rsa1024.privateKey),
      ),
      "jws_signature",
    ],
  ]);
});

suite("JWT-SVID 2: header", () => {
  const duplicated = (member: string): string =>
    makeToken(`{"alg":"ES256","kid":"es256",${member}}`, goodPayload, goodSign);
  run([
    ["J-20 no typ", withHeader({ typ: undefined })],
    ["J-20 typ JWT", withHeader({ typ: "JWT" })],
    ["J-20 typ JOSE", withHeader({ typ: "JOSE" })],
    ...["jwt", "Jwt", "application/jwt"].map(
      (typ) => [`J-21 typ ${typ}`, withHeader({ typ }), "jws_type"] as const,
    ),
    ...["at+jwt", "wit+jwt", "JWT-SVID", ""].map(
      (typ) => [`J-22 typ ${JSON.stringify(typ)}`, withHeader({ typ }), "jws_type"] as const,
    ),
    ["J-23 a number for typ", withHeader({ typ: 1 }), "jws_header"],
    ["J-23 an array for typ", withHeader({ typ: ["JWT"] }), "jws_header"],
    ["J-24 null for typ", withHeader({ typ: null }), "jws_header"],
    ["J-25 no kid", withHeader({ kid: undefined })],
    ["J-25 an empty kid", withHeader({ kid: "" })],
    [
      "J-25 no kid and a key of nobody's",
      withHeader({ kid: undefined }, signed("ES256", keys.other.privateKey)),
      "jws_signature",
    ],
    ["J-27 kid in another case", withHeader({ kid: "ES256" }), "jws_key_id"],
    ["J-28 a number for kid", withHeader({ kid: 1 }), "jws_header"],
    [
      "J-29 kid of a WIT authority",
      withHeader({ kid: "wit" }, signed("ES256", keys.wit.privateKey)),
      "jws_key_id",
    ],
    [
      "J-29 no kid and the key of a WIT authority",
      withHeader({ kid: undefined }, signed("ES256", keys.wit.privateKey)),
      "jws_signature",
    ],
    ...["cty", "foo", "nonce", "zip", "enc", "x5t"].map(
      (name) => [`J-30 an extra ${name}`, withHeader({ [name]: "DEF" })] as const,
    ),
    ["J-31 an extra jku", withHeader({ jku: "https://attacker.test/keys" })],
    ["J-31 an extra x5u", withHeader({ x5u: "https://attacker.test/chain" })],
    [
      "J-32 an extra jwk with another key, signed with ours",
      withHeader({ jwk: keys.other.publicKey.export({ format: "jwk" }) }),
    ],
    [
      "J-32 an extra jwk with another key, signed with that",
      withHeader(
        { jwk: keys.other.publicKey.export({ format: "jwk" }) },
        signed("ES256", keys.other.privateKey),
      ),
      "jws_signature",
    ],
    ["J-34 crit exp", withHeader({ crit: ["exp"], exp: inSeconds(300) }), "jws_critical"],
    ["J-35 crit b64, false", withHeader({ crit: ["b64"], b64: false }), "jws_critical"],
    ["J-36 crit b64, true", withHeader({ crit: ["b64"], b64: true }), "jws_critical"],
    ["J-37 an empty crit", withHeader({ crit: [] }), "jws_critical"],
    ["J-38 a text for crit", withHeader({ crit: "exp" }), "jws_critical"],
    ["J-39 alg twice", duplicated('"alg":"ES256"'), "jws_malformed"],
    ["J-39 kid twice", duplicated('"kid":"es256"'), "jws_malformed"],
    ["J-39 kid twice, once escaped", duplicated('"\\u006bid":"es256"'), "jws_malformed"],
    ["J-40 ALG for alg", withHeader({ alg: undefined, ALG: "ES256" }), "jws_algorithm"],
    [
      "J-41 junk after the header",
      makeToken('{"alg":"ES256"}x', goodPayload, goodSign),
      "jws_malformed",
    ],
    ["J-42 an array as header", makeToken("[]", goodPayload, goodSign), "jws_malformed"],
  ]);
});

suite("JWT-SVID 3.1: sub", () => {
  const byOther = signed("ES256", keys.other.privateKey);
  run([
    ["J-43 no sub", withClaims({ sub: undefined }), "jwt_subject"],
    ["J-43 an empty sub", withClaims({ sub: "" }), "jwt_subject"],
    ["J-43 null for sub", withClaims({ sub: null }), "jwt_subject"],
    ["J-44 a number for sub", withClaims({ sub: 1 }), "jwt_subject"],
    ["J-44 an array for sub", withClaims({ sub: ["spiffe://td.test/w"] }), "jwt_subject"],
    ...[
      "SPIFFE://td.test/w",
      "spiffe://TD.test/w",
      "spiffe://td.test/w w",
      "spiffe://td.test/../w",
      "spiffe://td.test/w/",
    ].map((sub) => [`J-46 sub ${sub}`, withClaims({ sub }), "jwt_subject"] as const),
    ["J-47 sub without path", withClaims({ sub: "spiffe://td.test" })],
    [
      "J-48 sub of another trust domain",
      withClaims({ sub: "spiffe://other.test/w" }),
      "jws_signature",
    ],
    [
      "J-49 sub of an unknown trust domain",
      withClaims({ sub: "spiffe://x.test/w" }),
      "bundle_not_found",
    ],
    ["J-50 the same kid in another trust domain", withClaims({}, byOther), "jws_signature"],
  ]);
});

suite("JWT-SVID 3.2: aud", () => {
  run([
    ["J-51 one text", withClaims({ aud: "aud1" })],
    ["J-51 a list of one", withClaims({ aud: ["aud1"] })],
    ["J-51 a list of two", withClaims({ aud: ["x", "aud1"] })],
    ["J-51 a list with one value twice", withClaims({ aud: ["aud1", "aud1"] })],
    ...[["x"], "x", "aud"].map(
      (aud) => [`J-52 ${JSON.stringify(aud)}`, withClaims({ aud }), "jwt_audience"] as const,
    ),
    ...["AUD1", "aud1/", "aud1 "].map(
      (aud) => [`J-53 ${JSON.stringify(aud)}`, withClaims({ aud }), "jwt_audience"] as const,
    ),
    ...[[], "", [""]].map(
      (aud) => [`J-54 ${JSON.stringify(aud)}`, withClaims({ aud }), "jwt_audience"] as const,
    ),
    ...[null, 1, {}].map(
      (aud) => [`J-55 ${JSON.stringify(aud)}`, withClaims({ aud }), "jwt_audience"] as const,
    ),
    ["J-56 a number in the list", withClaims({ aud: ["aud1", 1] }), "jwt_audience"],
    ["J-57 no aud", withClaims({ aud: undefined }), "jwt_audience"],
  ]);

  for (const [vector, audiences, aud] of [
    ["J-58", [], undefined],
    ["J-59", [""], [""]],
    ["J-59", ["aud1", ""], ["aud1"]],
  ] as const) {
    const title = `${vector} a verifier with audiences ${JSON.stringify(audiences)} is a mistake`;
    test(`${title} of the programmer`, async () => {
      await assert.rejects(verifyJwtSvid(withClaims({ aud }), bundles, audiences, testNow), {
        name: "TypeError",
        message: "a verifier of JWT-SVIDs needs at least one audience, and no empty one",
      });
    });
  }
});

suite("JWT-SVID 3.3: exp, and the other times", () => {
  run([
    ["J-60 no exp", withClaims({ exp: undefined }), "jwt_claims"],
    ["J-60 null for exp", withClaims({ exp: null }), "jwt_claims"],
    ...[`${inSeconds(300)}`, true, [inSeconds(300)]].map(
      (exp) => [`J-61 exp ${JSON.stringify(exp)}`, withClaims({ exp }), "jwt_claims"] as const,
    ),
    ["J-62 exp with a fraction", withClaims({ exp: inSeconds(300.5) })],
    ["J-63 exp 0", withClaims({ exp: 0 }), "jwt_expired"],
    ["J-63 exp -1", withClaims({ exp: -1 }), "jwt_expired"],
    ["J-64 exp 10 s ago", withClaims({ exp: inSeconds(-10) })],
    ["J-64 exp 50 s ago", withClaims({ exp: inSeconds(-50) })],
    ["J-65 exp 65 s ago", withClaims({ exp: inSeconds(-65) }), "jwt_expired"],
    ["J-65 exp 120 s ago", withClaims({ exp: inSeconds(-120) }), "jwt_expired"],
    ["J-65b iat in 90 s", withClaims({ iat: inSeconds(90) })],
    ["J-65b iat in 30 s", withClaims({ iat: inSeconds(30) })],
    ["J-65b no iat", withClaims({ iat: undefined })],
    ["J-65b iat in the past", withClaims({ iat: inSeconds(-9999) })],
    ["J-66 nbf in 30 s", withClaims({ nbf: inSeconds(30) })],
    ["J-66 nbf in 90 s", withClaims({ nbf: inSeconds(90) }), "jwt_not_yet_valid"],
    ["J-66b exp 1e10", withClaims({ exp: 1e10 })],
    ["J-66b exp 1e300", withClaims({ exp: 1e300 }), "jwt_claims"],
    ["J-66b a text for iat", withClaims({ iat: "now" }), "jwt_claims"],
  ]);

  test("J-64 exp 10 s ago, without leeway: refused", async () => {
    await assert.rejects(
      verify(withClaims({ exp: inSeconds(-10) }), 0),
      spiffeRefused("jwt_expired"),
    );
  });

  test("RFC-21 exp at this very instant, without leeway: refused", async () => {
    await assert.rejects(
      verify(withClaims({ exp: inSeconds(0) }), 0),
      spiffeRefused("jwt_expired"),
    );
    assert.equal((await verify(withClaims({ exp: inSeconds(1) }), 0)).id.path, "/w");
  });
});

suite("JWT-SVID 3: claims", () => {
  const payload = JSON.stringify(goodPayload);
  const raw = (text: string | Uint8Array): string => makeToken(goodHeader, text, goodSign);
  const badUtf8 = Buffer.from(payload.replace("aud1", "aud1\xff"), "latin1");
  run([
    ["J-67 sub twice", raw(`{"sub":"spiffe://td.test/v",${payload.slice(1)}`), "jws_malformed"],
    ["J-67 aud twice", raw(`{"aud":"x",${payload.slice(1)}`), "jws_malformed"],
    ["J-68 an array as payload", raw("[]"), "jws_malformed"],
    ["J-68 a payload that is not JSON", raw("hello"), "jws_malformed"],
    ["J-68 a payload that is not UTF-8", raw(badUtf8), "jws_malformed"],
    ["J-68 junk after the payload", raw(`${payload}x`), "jws_malformed"],
    ["J-69 jti", withClaims({ jti: "1" })],
    ["J-69 iss", withClaims({ iss: "https://issuer.test" })],
    ["J-69 nested private claims", withClaims({ "x.test/a": { b: [1, { c: null }] } })],
    ["J-69 cnf", withClaims({ cnf: { kid: "1" } })],
  ]);

  test("a verified token tells what it says, whole numbers without loss", async () => {
    const big = "9007199254740993";
    const svid = await verify(raw(`{"n":${big},${payload.slice(1)}`));
    assert.equal(svid.id.toString(), "spiffe://td.test/w");
    assert.deepEqual(svid.audience, ["aud1"]);
    assert.equal(svid.expiresAt.getTime(), testNow.getTime() + 300_000);
    assert.equal(svid.issuedAt?.getTime(), testNow.getTime());
    assert.equal(svid.keyId, "es256");
    assert.equal(svid.claims["n"], BigInt(big));
    assert.equal(svid.claims["exp"], inSeconds(300));
  });
});

suite("JWT-SVID 5.1: compact serialization", () => {
  const flipped = (text: string, index: number): string => {
    const bytes = Buffer.from(text, "base64url");
    bytes[index] = (bytes[index] ?? 0) ^ 1;
    return bytes.toString("base64url");
  };
  const join = (...segments: readonly string[]): string => segments.join(".");
  const otherPayload = segment({ ...goodPayload, sub: "spiffe://td.test/v" });
  const spare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = spare.indexOf(goodSignature.at(-1) ?? "");
  run([
    ["J-70 two segments", join(goodHeaderSegment, goodPayloadSegment), "jws_malformed"],
    ["J-70 four segments", join(good, ""), "jws_malformed"],
    ["J-70 five segments", join(good, "a", "b"), "jws_malformed"],
    ["J-70 nothing", "", "jws_malformed"],
    ["J-71 Bearer in front", `Bearer ${good}`, "jws_malformed"],
    ["J-71 a space in front", ` ${good}`, "jws_malformed"],
    ["J-72 a newline at the end", `${good}\n`, "jws_malformed"],
    [
      "J-73 a newline inside a segment",
      join(
        goodHeaderSegment,
        `${goodPayloadSegment.slice(0, 8)}\n${goodPayloadSegment.slice(8)}`,
        goodSignature,
      ),
      "jws_malformed",
    ],
    ["J-74 padding", `${good}==`, "jws_malformed"],
    [
      "J-75 the standard alphabet",
      join(
        goodHeaderSegment,
        goodPayloadSegment,
        `${goodSignature.slice(0, 8)}+/${goodSignature.slice(10)}`,
      ),
      "jws_malformed",
    ],
    [
      "J-76 left-over bits in the last character",
      `${good.slice(0, -1)}${spare[last ^ 1]}`,
      "jws_malformed",
    ],
    ["J-77 an empty signature", join(goodHeaderSegment, goodPayloadSegment, ""), "jws_signature"],
    ["J-77 an empty payload", join(goodHeaderSegment, "", goodSignature), "jws_malformed"],
    [
      "J-77 a flipped bit in the signature",
      join(goodHeaderSegment, goodPayloadSegment, flipped(goodSignature, 10)),
      "jws_signature",
    ],
    ["J-77 another payload", join(goodHeaderSegment, otherPayload, goodSignature), "jws_signature"],
    [
      "J-78 an ECDSA signature in DER",
      withHeader({}, (data) => cryptoSign("sha256", data, keys.es256.privateKey)),
      "jws_signature",
    ],
    ["J-78 r = s = 0", withHeader({}, () => new Uint8Array(64)), "jws_signature"],
    ["J-79 s replaced by n - s", withHeader({}, negated(keys.es256.privateKey))],
    [
      "J-80 the flattened JSON serialization",
      JSON.stringify({
        protected: goodHeaderSegment,
        payload: goodPayloadSegment,
        signature: goodSignature,
      }),
      "jws_malformed",
    ],
    [
      "J-81 the general JSON serialization",
      JSON.stringify({
        payload: goodPayloadSegment,
        signatures: [{ protected: goodHeaderSegment, signature: goodSignature }],
      }),
      "jws_malformed",
    ],
  ]);

  test("a token of more than 64 KiB is refused", async () => {
    const token = withClaims({ large: "x".repeat(65_536) });
    await assert.rejects(verify(token), spiffeRefused("jws_too_large"));
  });

  test("reading without verifying refuses what has the wrong form, and tells nothing of trust", () => {
    assert.equal(readJwtSvid(withClaims({ exp: 1 })).expiresAt.getTime(), 1000);
    assert.throws(() => readJwtSvid(withHeader({ alg: "none" })), spiffeRefused("jws_algorithm"));
  });
});

/** Signs ES256 and replaces s by n - s, which is as valid. */
function negated(key: KeyObject): Sign {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  return (data) => {
    const signature = Buffer.from(signed("ES256", key)(data));
    const s = BigInt(`0x${signature.subarray(32).toString("hex")}`);
    signature.write((order - s).toString(16).padStart(64, "0"), 32, "hex");
    return signature;
  };
}
