// What the vectors of the conformance suite do not say: that the work is bounded, and that errors name the real obstacle.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import {
  extension,
  secondsFromNow,
  TestAuthority,
  testKey,
  testNow,
} from "../../test/support/test-ca.ts";
import { Bundle } from "../bundle/bundle.ts";
import { TrustDomain } from "../id/spiffe-id.ts";
import { verifyX509Svid } from "../svid/x509-verify.ts";
import { Certificate } from "./certificate.ts";
import * as der from "./der-writer.ts";
import { ExtensionOid } from "./oids.ts";

const td = TrustDomain.parse("td.test");

const parse = (issued: { readonly der: Uint8Array }): Certificate => Certificate.parse(issued.der);
const bundleOf = (...authorities: readonly TestAuthority[]): Bundle =>
  new Bundle(td, { x509Authorities: authorities.map(parse) });

suite("verifyX509Svid: bounded work", () => {
  test("refuses more certificates than a peer may present", () => {
    const root = TestAuthority.root();
    const leaf = parse(root.leaf());
    const chain = [leaf, ...Array.from({ length: 16 }, () => root.certificate)];
    assert.throws(
      () => verifyX509Svid(chain, bundleOf(root), testNow),
      spiffeRefused("chain_too_long", "peer presented too many certificates"),
    );
  });

  test("gives up on certificates that sign each other in every way", () => {
    // All have one name and one key, so each looks like the issuer of every other.
    const key = testKey();
    const name = { commonName: "maze" };
    const maze = Array.from({ length: 15 }, () => TestAuthority.root({ key, subject: name }));
    const [first] = maze;
    assert.ok(first !== undefined);
    const chain = [first.leaf(), ...maze].map(parse);
    const started = process.hrtime.bigint();
    assert.throws(
      () => verifyX509Svid(chain, bundleOf(TestAuthority.root()), testNow),
      spiffeRefused("chain_untrusted"),
    );
    // 64 signatures, not 15 factorial paths: that would be days.
    assert.ok(process.hrtime.bigint() - started < 30_000_000_000n);
  });

  test("finds the right one among many authorities of one name by its key identifier", () => {
    const authorities = Array.from({ length: 100 }, (_, index) => {
      const keyId = der.octetString(Uint8Array.of(index));
      return TestAuthority.root({ extra: [extension(ExtensionOid.subjectKeyIdentifier, keyId)] });
    });
    const last = authorities.at(-1);
    assert.ok(last !== undefined);
    const hint = der.sequence(der.contextValue(0, Uint8Array.of(99)));
    const leaf = last.leaf({ extra: [extension(ExtensionOid.authorityKeyIdentifier, hint)] });
    const { path } = verifyX509Svid([parse(leaf)], bundleOf(...authorities), testNow);
    assert.ok(path[1]?.equals(last.certificate));
  });
});

suite("verifyX509Svid: errors", () => {
  const root = TestAuthority.root();
  const expired = { notBefore: secondsFromNow(-60), notAfter: secondsFromNow(-30) };

  test("an expired intermediate is named as such", () => {
    const intermediate = root.intermediate(expired);
    assert.throws(
      () => verifyX509Svid([intermediate.leaf(), intermediate].map(parse), bundleOf(root), testNow),
      spiffeRefused("certificate_expired", "a certificate has expired"),
    );
  });

  test("an expired authority does not hide a good one with the same key", () => {
    const key = testKey();
    const old = TestAuthority.root({ ...expired, key });
    const renewed = TestAuthority.root({ key });
    const leaf = parse(old.leaf());
    const { path } = verifyX509Svid([leaf], bundleOf(old, renewed), testNow);
    assert.ok(path[1]?.equals(renewed.certificate));
  });

  test("the time of verification decides, and nothing else", () => {
    const leaf = parse(root.leaf());
    assert.equal(verifyX509Svid([leaf], bundleOf(root), secondsFromNow(3600)).id.path, "/w");
    assert.throws(
      () => verifyX509Svid([leaf], bundleOf(root), secondsFromNow(3601)),
      spiffeRefused("certificate_expired"),
    );
  });
});
