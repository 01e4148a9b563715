import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  WITBundlesResponseSchema,
  type WITSVIDResponse,
  WITSVIDResponseSchema,
} from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { testKey, testNow } from "../../test/support/test-ca.ts";
import { inSeconds, makeToken, signed } from "../../test/support/test-token.ts";
import { SpiffeError } from "../error.ts";
import { formatPublicJwk } from "../jwt/jwk.ts";
import { readWitBundles, readWitSvids } from "./wit-messages.ts";

const authority = testKey();
const holder = testKey();
const id = "spiffe://td.test/web";
const cnf = { jwk: { ...formatPublicJwk(holder.publicKey), alg: "ES256" } };
const keyText = JSON.stringify(holder.privateKey.export({ format: "jwk" }));

const token = (claims: object = {}): string =>
  makeToken(
    { alg: "ES256", kid: "k1", typ: "wit+jwt" },
    { sub: id, exp: inSeconds(600), cnf, ...claims },
    signed("ES256", authority.privateKey),
  );

function message(change: object = {}, more: readonly object[] = []): WITSVIDResponse {
  const svid = { spiffeId: id, witSvid: token(), witSvidKey: keyText, hint: "", ...change };
  return create(WITSVIDResponseSchema, { svids: [svid, ...more] });
}

describe("readWitSvids", () => {
  it("gives each token with the key that proves it", () => {
    const [svid] = readWitSvids(message({ hint: "internal" }), testNow);
    assert.equal(svid.wit.id.toString(), id);
    assert.ok(svid.wit.confirmationKey.equals(holder.publicKey));
    assert.equal(svid.hint, "internal");
  });

  it("counts the first of those with one hint", () => {
    const again = { spiffeId: id, witSvid: token(), witSvidKey: keyText, hint: "a" };
    assert.equal(readWitSvids(message({ hint: "a" }, [again]), testNow).length, 1);
  });

  const refused = [
    ["no SVID", create(WITSVIDResponseSchema), "workload_message"],
    ["another identity", message({ spiffeId: "spiffe://td.test/db" }), "svid_id_mismatch"],
    [
      "W-51: another key",
      message({ witSvidKey: JSON.stringify(testKey().privateKey.export({ format: "jwk" })) }),
      "svid_private_key",
    ],
    ["no key", message({ witSvidKey: "" }), "svid_private_key"],
    ["a public key", message({ witSvidKey: JSON.stringify(cnf.jwk) }), "svid_private_key"],
    ["an expired token", message({ witSvid: token({ exp: inSeconds(-1) }) }), "workload_message"],
    ["W-29: an audience", message({ witSvid: token({ aud: [] }) }), "jwt_audience"],
    ["W-33: no cnf", message({ witSvid: token({ cnf: {} }) }), "wit_confirmation"],
    ["no token", message({ witSvid: "" }), "jws_malformed"],
  ] as const;
  for (const [name, wrong, code] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(() => readWitSvids(wrong, testNow), { code });
    });
  }

  it("refuses whatever else comes, and nothing but refuses", () => {
    const good = token();
    for (let i = 0; i < good.length; i += 1) {
      const mangled = `${good.slice(0, i)}${String.fromCharCode(33 + (i % 90))}${good.slice(i + 1)}`;
      const cutKey = keyText.slice(0, i % keyText.length);
      for (const change of [{ witSvid: mangled }, { witSvidKey: cutKey }]) {
        try {
          readWitSvids(message(change), testNow);
        } catch (err) {
          assert.ok(err instanceof SpiffeError, String(err));
          assert.ok(!err.message.includes(String(JSON.parse(keyText).d)));
        }
      }
    }
  });
});

describe("readWitBundles", () => {
  const jwk = { ...formatPublicJwk(authority.publicKey), kid: "k1" };
  const read = (keys: readonly object[]) =>
    readWitBundles(
      create(WITBundlesResponseSchema, {
        bundles: { "spiffe://td.test": JSON.stringify({ keys }) },
      }),
    );

  it("takes keys for WIT-SVIDs and no others", () => {
    const keys = [
      { ...jwk, use: "wit-svid" },
      { ...jwk, kid: "k2", use: "jwt-svid" },
    ];
    const [bundle] = read(keys);
    assert.deepEqual([...(bundle?.witAuthorities.keys() ?? [])], ["k1"]);
    assert.equal(bundle?.jwtAuthorities.size, 0);
  });

  it("refuses an empty map, and what is no document", () => {
    assert.throws(() => readWitBundles(create(WITBundlesResponseSchema)), {
      code: "workload_message",
    });
    const bundles = { "spiffe://td.test": "{" };
    assert.throws(() => readWitBundles(create(WITBundlesResponseSchema, { bundles })), {
      code: "bundle_malformed",
    });
  });
});
