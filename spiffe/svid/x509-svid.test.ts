import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { damaged, survives } from "../../test/support/hostile.ts";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import { TestAuthority, testKey } from "../../test/support/test-ca.ts";
import { Certificate } from "../x509/certificate.ts";
import { X509Svid } from "./x509-svid.ts";

const root = TestAuthority.root();
const intermediate = root.intermediate();
const leaf = intermediate.leaf();
const certificates = Buffer.concat([leaf.der, intermediate.der]);
const privateKey = leaf.privateKey.export({ format: "der", type: "pkcs8" });

suite("X509Svid", () => {
  test("is put together from parts in memory as from bytes", () => {
    const parts = [leaf.der, intermediate.der].map((der) => Certificate.parse(der));
    const svid = new X509Svid(parts, leaf.privateKey, "internal");
    assert.equal(svid.hint, "internal");
    assert.equal(svid.id.toString(), "spiffe://td.test/w");
    assert.ok(svid.leaf.equals(X509Svid.parse({ certificates, privateKey }).leaf));
    assert.throws(
      () => new X509Svid(parts, testKey().privateKey),
      spiffeRefused(
        "svid_private_key",
        "private key of an X509-SVID: it is not the key of the certificate",
      ),
    );
  });

  test("from damaged bytes is read or refused, and its key is always the leaf's", () => {
    const other = testKey("rsa-2048").privateKey.export({ format: "der", type: "pkcs8" });
    const either = fc.oneof(damaged(privateKey), damaged(other), fc.constant(privateKey));
    fc.assert(
      fc.property(
        fc.oneof(damaged(certificates), fc.constant(certificates)),
        either,
        (chain, key) => {
          survives(() => {
            const svid = X509Svid.parse({ certificates: chain, privateKey: key });
            assert.ok(svid.leaf.publicKey.equals(leaf.publicKey));
          });
        },
      ),
      { numRuns: 1000 },
    );
  });
});
