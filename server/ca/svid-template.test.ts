import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import "reflect-metadata";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate as PeculiarCertificate,
  SubjectAlternativeNameExtension,
} from "@peculiar/x509";
import fc from "fast-check";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { CaWorld } from "../../test/support/ca-world.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import type { X509Authority } from "./authority.ts";
import { checkSvidTbs } from "./certificate-check.ts";
import type { SvidFields } from "./certificate-profile.ts";
import { drawSerialNumbers } from "./serial-number.ts";
import { signTbs } from "./sign-tbs.ts";
import { assembleCertificate } from "./svid-template.ts";

const keys: readonly KeyObject[] = [
  generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey,
  generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey,
  generateKeyPairSync("ec", { namedCurve: "P-521" }).publicKey,
  generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey,
  generateKeyPairSync("rsa", { modulusLength: 4096 }).publicKey,
];

const segment = fc.stringMatching(/^[a-zA-Z0-9_-]{1,60}$/);
const dnsName = fc
  .array(fc.stringMatching(/^[a-z0-9]{1,30}$/), { minLength: 2, maxLength: 6 })
  .map((labels) => `${labels.join(".")}.test`);
const second = (from: string, to: string) =>
  fc
    .date({ min: new Date(from), max: new Date(to), noInvalidDate: true })
    .map((date) => new Date(Math.floor(date.getTime() / 1000) * 1000));

/** Any SVID that an entry may ask for, across 2050, when X.509 times change their form. */
const anyFields: fc.Arbitrary<SvidFields> = fc
  .record({
    seed: fc.nat(),
    key: fc.constantFrom(...keys),
    path: fc.array(segment, { minLength: 1, maxLength: 20 }),
    dnsNames: fc.array(dnsName, { maxLength: 8 }),
    notBefore: second("2026-01-01T00:00:00Z", "2049-12-31T00:00:00Z"),
    notAfter: second("2050-01-01T00:00:00Z", "2060-01-01T00:00:00Z"),
    isLate: fc.boolean(),
  })
  .map(({ seed, key, path, dnsNames, notBefore, notAfter, isLate }) => ({
    serial: drawSerialNumbers(new FakeRandom(seed), 1)[0] ?? new Uint8Array(),
    notBefore,
    notAfter: isLate ? notAfter : new Date(notBefore.getTime() + 3_600_000),
    spkiDer: key.export({ format: "der", type: "spki" }),
    isRsa: key.asymmetricKeyType === "rsa",
    spiffeId: `spiffe://a.test/${path.join("/")}`,
    dnsNames,
  }));

async function authorityOf(world: CaWorld): Promise<X509Authority> {
  const { x509 } = world.authorities.active.value;
  assert.ok(x509);
  return x509;
}

describe("SvidTemplate", () => {
  it("writes what node:crypto and another library read back", async () => {
    await using world = await CaWorld.open();
    const authority = await authorityOf(world);
    const ca = new X509Certificate(Buffer.from(authority.certificate.der));
    await fc.assert(
      fc.asyncProperty(anyFields, async (fields) => {
        const tbsDer = authority.template.fill(fields);
        checkSvidTbs(tbsDer, authority.issuer, fields);
        const der = Buffer.from(await signTbs(authority, tbsDer));
        compareWithNode(new X509Certificate(der), ca, fields);
        compareWithLibrary(new PeculiarCertificate(der), fields);
      }),
      { numRuns: 60 },
    );
  });

  for (const type of ["ec-p256", "ec-p384", "rsa-2048"] as const) {
    it(`makes certificates that openssl verifies, by ${type}`, async () => {
      await using dir = await TempDir.open();
      await using world = await CaWorld.open({ settings: { keyTypes: { x509: type } } });
      const authority = await authorityOf(world);
      const now = Math.floor(world.clock.now().getTime() / 1000) * 1000;
      const samples = fc.sample(anyFields, { numRuns: 10, seed: 7 });
      await writeFile(dir.join("ca.pem"), formatPem("CERTIFICATE", authority.certificate.der));
      const names: string[] = [];
      for (const [index, sample] of samples.entries()) {
        const notBefore = new Date(now - 10_000);
        const notAfter = new Date(now + 3_600_000);
        const tbsDer = authority.template.fill({ ...sample, notBefore, notAfter });
        names.push(dir.join(`${index}.pem`));
        const pem = formatPem("CERTIFICATE", await signTbs(authority, tbsDer));
        await writeFile(names.at(-1) ?? "", pem);
      }
      for (const purpose of ["sslclient", "sslserver"]) {
        const args = ["verify", "-x509_strict", "-purpose", purpose, "-attime", String(now / 1000)];
        args.push("-CAfile", dir.join("ca.pem"), ...names);
        const output = execFileSync("openssl", args, { encoding: "utf8", stdio: "pipe" });
        assert.equal(output.match(/: OK$/gm)?.length, samples.length);
      }
    });
  }

  it("has no byte of the signature in the part that is signed", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const tbs = Buffer.from("3003020101", "hex");
    const algorithm = Buffer.from("300a06082a8648ce3d040302", "hex");
    const signature = sign("sha256", tbs, privateKey);
    const certificate = Buffer.from(assembleCertificate(tbs, algorithm, signature));
    assert.equal(certificate.indexOf(tbs), 2);
    assert.ok(certificate.subarray(-signature.length).equals(signature));
  });
});

function compareWithNode(certificate: X509Certificate, ca: X509Certificate, fields: SvidFields) {
  assert.ok(certificate.verify(ca.publicKey));
  assert.ok(certificate.checkIssued(ca));
  assert.equal(certificate.ca, false);
  assert.equal(certificate.serialNumber, Buffer.from(fields.serial).toString("hex").toUpperCase());
  assert.equal(certificate.validFromDate.getTime(), fields.notBefore.getTime());
  assert.equal(certificate.validToDate.getTime(), fields.notAfter.getTime());
  const spki = certificate.publicKey.export({ format: "der", type: "spki" });
  assert.deepEqual(spki, Buffer.from(fields.spkiDer));
  const names = [`URI:${fields.spiffeId}`, ...fields.dnsNames.map((name) => `DNS:${name}`)];
  assert.equal(certificate.subjectAltName, names.join(", "));
  const [first] = fields.dnsNames;
  const commonName = first !== undefined && first.length <= 64 ? `\nCN=${first}` : "";
  assert.equal(certificate.subject, `C=US\nO=Assay${commonName}`);
}

function compareWithLibrary(certificate: PeculiarCertificate, fields: SvidFields): void {
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON();
  assert.deepEqual(names, [
    { type: "url", value: fields.spiffeId },
    ...fields.dnsNames.map((value) => ({ type: "dns", value })),
  ]);
  const usages = certificate.getExtension(KeyUsagesExtension);
  const { digitalSignature, keyEncipherment } = KeyUsageFlags;
  const expected = fields.isRsa ? digitalSignature | keyEncipherment : digitalSignature;
  assert.deepEqual([usages?.usages, usages?.critical], [expected, true]);
  const extended = certificate.getExtension(ExtendedKeyUsageExtension)?.usages;
  assert.deepEqual([...(extended ?? [])], ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  const constraints = certificate.getExtension(BasicConstraintsExtension);
  assert.deepEqual([constraints?.ca, constraints?.critical], [false, true]);
  assert.equal(certificate.extensions.length, 6);
}
