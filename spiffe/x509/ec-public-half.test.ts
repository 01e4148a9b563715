import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import * as der from "./der-writer.ts";
import { ecPublicHalf } from "./ec-public-half.ts";

const pkcs8 = { format: "der", type: "pkcs8" } as const;

describe("ecPublicHalf", () => {
  it("is what OpenSSL says of the same key, for each curve", () => {
    for (const namedCurve of ["P-256", "P-384", "P-521"]) {
      for (let i = 0; i < 20; i++) {
        const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
        assert.deepEqual(
          Buffer.from(ecPublicHalf(privateKey.export(pkcs8)) ?? []),
          publicKey.export({ format: "der", type: "spki" }),
        );
      }
    }
  });

  it("is not there in a key that leaves it out, and not made up for what is no key", () => {
    const { d = "" } = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
      format: "jwk",
    });
    const algorithm = der.sequence(der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.10045.3.1.7"));
    const key = der.sequence(der.integer(1), der.octetString(Buffer.from(d, "base64url")));
    const bare = der.sequence(der.integer(0), algorithm, der.octetString(key));
    assert.ok(createPrivateKey({ key: Buffer.from(bare), ...pkcs8 }));
    assert.equal(ecPublicHalf(bare), undefined);
    assert.throws(() => ecPublicHalf(bare.subarray(0, 20)), { code: "der_malformed" });
  });
});
