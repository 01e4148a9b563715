import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AuthorityRecord, BundleRecord } from "../store/records.ts";
import { appendX509, publish, sameContent, taint, withdraw } from "./bundle-change.ts";

const empty: BundleRecord = {
  trustDomain: "a.test",
  x509Authorities: [],
  jwtAuthorities: [],
  witAuthorities: [],
  refreshHintSeconds: 300,
  sequence: 1n,
};

function authority(kind: AuthorityRecord["kind"], id: string): AuthorityRecord {
  return {
    id,
    kind,
    state: "active",
    keyRef: id,
    publicKeyDer: Buffer.from(id),
    certificateChainDer: kind === "x509" ? [Buffer.from(`certificate ${id}`)] : [],
    upstreamAuthorityId: "",
    notBefore: 1,
    notAfter: 2,
    createdAt: 1,
  };
}

describe("bundle changes", () => {
  for (const kind of ["x509", "jwt", "wit"] as const) {
    it(`publish, taint and withdraw one ${kind} authority among others`, () => {
      const list = `${kind}Authorities` as const;
      const [one, other] = [authority(kind, "one"), authority(kind, "other")];
      const both = publish(other)(publish(one)(empty));
      assert.equal(both[list].length, 2);
      assert.equal(sameContent(publish(one)(both), both), true);
      const tainted = taint(one)(both);
      assert.deepEqual(
        tainted[list].map((entry) => entry.tainted),
        [true, false],
      );
      assert.equal(sameContent(tainted, both), false);
      assert.equal(sameContent(withdraw(one)(tainted), publish(other)(empty)), true);
      assert.equal(sameContent(empty, { ...empty, sequence: 2n }), true);
    });
  }

  it("publish a certificate of another server once", () => {
    const der = Buffer.from("certificate");
    const once = appendX509(der)(empty);
    assert.equal(appendX509(Uint8Array.from(der))(once), once);
  });

  it("see another hint as another content", () => {
    assert.equal(sameContent(empty, { ...empty, refreshHintSeconds: 1 }), false);
  });
});
