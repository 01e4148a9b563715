import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, it } from "node:test";
import * as der from "../../spiffe/x509/der-writer.ts";
import { distinguishedName } from "../../spiffe/x509/distinguished-name.ts";
import { checkSvidTbs, ProfileError } from "./certificate-check.ts";
import type { SvidFields } from "./certificate-profile.ts";
import { type IssuerParts, SvidTemplate } from "./svid-template.ts";

const spki = (key: KeyObject): Uint8Array => key.export({ format: "der", type: "spki" });
const ec = (): KeyObject => generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;

const issuer: IssuerParts = {
  issuerDer: distinguishedName({ country: "US", organization: "Assay", serialNumber: "1" }),
  authorityKeyId: new Uint8Array(20).fill(7),
  signatureAlgorithmDer: der.sequence(der.oid("1.2.840.10045.4.3.2")),
};
const fields: SvidFields = {
  serial: new Uint8Array(16).fill(0x41),
  notBefore: new Date("2026-03-01T12:00:00Z"),
  notAfter: new Date("2026-03-01T13:00:00Z"),
  spkiDer: spki(ec()),
  isRsa: false,
  spiffeId: "spiffe://a.test/web",
  dnsNames: ["web.a.test"],
};
const template = new SvidTemplate(issuer);

/** What would be signed if the template had gone wrong in one thing, or somebody had changed the order under way. */
const wrong: readonly {
  readonly name: string;
  readonly tbs: Partial<SvidFields>;
  readonly message: RegExp;
}[] = [
  {
    name: "another serial number",
    tbs: { serial: new Uint8Array(16).fill(0x42) },
    message: /serial number$/,
  },
  { name: "a later end", tbs: { notAfter: new Date("2027-03-01T13:00:00Z") }, message: /end$/ },
  {
    name: "an earlier beginning",
    tbs: { notBefore: new Date("2025-03-01T13:00:00Z") },
    message: /beginning$/,
  },
  { name: "another key", tbs: { spkiDer: spki(ec()) }, message: /public key$/ },
  { name: "another ID", tbs: { spiffeId: "spiffe://a.test/bank" }, message: /alternative names$/ },
  { name: "another DNS name", tbs: { dnsNames: ["bank.a.test"] }, message: /subject$/ },
  {
    name: "a DNS name more",
    tbs: { dnsNames: ["web.a.test", "b.a.test"] },
    message: /alternative names$/,
  },
  { name: "a key usage for RSA", tbs: { isRsa: true }, message: /key usage$/ },
];

describe("checkSvidTbs", () => {
  it("takes what the template wrote for the same order", () => {
    checkSvidTbs(template.fill(fields), issuer, fields);
  });

  for (const { name, tbs, message } of wrong) {
    it(`refuses ${name}`, () => {
      const bytes = template.fill({ ...fields, ...tbs });
      assert.throws(
        () => checkSvidTbs(bytes, issuer, fields),
        (err) => err instanceof ProfileError && message.test(err.message),
      );
    });
  }

  it("refuses another issuer, and an authority key identifier of another", () => {
    const bytes = template.fill(fields);
    const other = { ...issuer, issuerDer: distinguishedName({ country: "DE" }) };
    assert.throws(() => checkSvidTbs(bytes, other, fields), /issuer$/);
    const keyId = { ...issuer, authorityKeyId: new Uint8Array(20) };
    assert.throws(() => checkSvidTbs(bytes, keyId, fields), /authority key identifier$/);
  });

  it("refuses a certificate that ends before it begins", () => {
    const backwards = { ...fields, notAfter: fields.notBefore };
    assert.throws(() => checkSvidTbs(template.fill(backwards), issuer, backwards), /validity$/);
  });

  it("refuses every single changed byte", () => {
    const bytes = template.fill(fields);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x20;
      assert.throws(() => checkSvidTbs(changed, issuer, fields), /./, `byte ${at}`);
    }
  });

  it("refuses bytes more and bytes less", () => {
    const bytes = template.fill(fields);
    assert.throws(() => checkSvidTbs(bytes.subarray(0, -1), issuer, fields));
    assert.throws(() => checkSvidTbs(Buffer.concat([bytes, Buffer.of(0)]), issuer, fields));
  });
});
