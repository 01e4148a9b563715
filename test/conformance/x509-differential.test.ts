// The same certificates and requests, read by others: @peculiar/x509, node:crypto and openssl have to agree with us on
// everything that is valid.

import "reflect-metadata";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate as NodeCertificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { suite, test } from "node:test";
import { rootCertificates } from "node:tls";
import * as peculiar from "@peculiar/x509";
import fc from "fast-check";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { SpiffeId, TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { verifyX509Svid } from "../../spiffe/svid/x509-verify.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { formatCertificatesPem } from "../../spiffe/x509/certificate-pem.ts";
import { createCsr, parseCsr } from "../../spiffe/x509/csr.ts";
import { distinguishedName } from "../../spiffe/x509/distinguished-name.ts";
import { type KeyUsageName, keyUsageNames } from "../../spiffe/x509/extensions.ts";
import { ExtKeyUsageOid } from "../../spiffe/x509/oids.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";
import {
  basicConstraints,
  dnsName,
  extKeyUsage,
  type Issued,
  keyUsage,
  rsaPssSha256,
  type Shape,
  subjectAltName,
  TestAuthority,
  testKey,
  testNow,
  uriName,
} from "../support/test-ca.ts";

const root = TestAuthority.root();
const leafKey = testKey();

const instants = fc
  .integer({ min: Date.UTC(1950) / 1000, max: Date.UTC(2200) / 1000 })
  .map((seconds) => new Date(seconds * 1000));
const shapes: fc.Arbitrary<Shape> = fc
  .record({
    notBefore: instants,
    notAfter: instants,
    uris: fc.array(fc.stringMatching(/^spiffe:\/\/[a-z.]{1,9}(\/[a-zA-Z0-9]{1,5}){0,3}$/), {
      maxLength: 2,
    }),
    hosts: fc.array(fc.stringMatching(/^[a-z]{1,9}\.test$/), { maxLength: 2 }),
    critical: fc.boolean(),
    ca: fc.boolean(),
    pathLength: fc.nat(5),
    usages: fc.subarray([...keyUsageNames], { minLength: 1 }),
    purposes: fc.subarray(Object.values(ExtKeyUsageOid), { minLength: 1 }),
  })
  .map(({ uris, hosts, critical, ca, pathLength, usages, purposes, notBefore, notAfter }) => ({
    notBefore,
    notAfter,
    key: leafKey,
    subjectAltName:
      uris.length + hosts.length === 0
        ? undefined
        : subjectAltName([...uris.map(uriName), ...hosts.map(dnsName)], critical),
    basicConstraints: ca ? basicConstraints(true, pathLength) : basicConstraints(false),
    keyUsage: keyUsage(...usages),
    extKeyUsage: extKeyUsage(...purposes),
  }));

suite("Certificate, compared with @peculiar/x509", () => {
  const flagOf: Record<KeyUsageName, peculiar.KeyUsageFlags> = {
    digitalSignature: peculiar.KeyUsageFlags.digitalSignature,
    nonRepudiation: peculiar.KeyUsageFlags.nonRepudiation,
    keyEncipherment: peculiar.KeyUsageFlags.keyEncipherment,
    dataEncipherment: peculiar.KeyUsageFlags.dataEncipherment,
    keyAgreement: peculiar.KeyUsageFlags.keyAgreement,
    keyCertSign: peculiar.KeyUsageFlags.keyCertSign,
    cRLSign: peculiar.KeyUsageFlags.cRLSign,
    encipherOnly: peculiar.KeyUsageFlags.encipherOnly,
    decipherOnly: peculiar.KeyUsageFlags.decipherOnly,
  };

  test("both read the same", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const { der } = root.leaf(shape);
        const ours = Certificate.parse(der);
        const theirs = new peculiar.X509Certificate(Buffer.from(der));
        assert.equal(ours.serialNumberHex, theirs.serialNumber);
        assert.equal(ours.notBefore.getTime(), theirs.notBefore.getTime());
        assert.equal(ours.notAfter.getTime(), theirs.notAfter.getTime());
        assert.deepEqual(Buffer.from(ours.spkiDer), Buffer.from(theirs.publicKey.rawData));

        const constraints = theirs.getExtension(peculiar.BasicConstraintsExtension);
        assert.equal(ours.isCa, constraints?.ca ?? false);
        assert.equal(ours.pathLength, constraints?.pathLength);
        const usages = [...(ours.keyUsage ?? [])].reduce((flags, name) => flags | flagOf[name], 0);
        assert.equal(usages, theirs.getExtension(peculiar.KeyUsagesExtension)?.usages);
        const purposes = theirs.getExtension(peculiar.ExtendedKeyUsageExtension)?.usages ?? [];
        assert.deepEqual(ours.extKeyUsages, [...purposes]);
        const names = theirs.getExtension(peculiar.SubjectAlternativeNameExtension);
        const namesOf = (type: string): string[] =>
          (names?.names.toJSON() ?? [])
            .filter((name) => name.type === type)
            .map(({ value }) => value);
        assert.deepEqual(ours.uriSans, namesOf("url"));
        assert.deepEqual(ours.dnsSans, namesOf("dns"));
        assert.equal(ours.isSubjectAltNameCritical, names?.critical ?? false);
      }),
    );
  });

  test("we read the requests and certificates that it makes", async () => {
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const names = new peculiar.SubjectAlternativeNameExtension([
      { type: "url", value: "spiffe://td.test/w" },
      { type: "dns", value: "w.td.test" },
    ]);
    const request = await peculiar.Pkcs10CertificateRequestGenerator.create({
      name: "CN=w, O=Example",
      keys,
      signingAlgorithm: algorithm,
      extensions: [names],
      attributes: [new peculiar.ChallengePasswordAttribute("secret")],
    });
    const csr = parseCsr(new Uint8Array(request.rawData));
    assert.deepEqual(csr.uriSans, ["spiffe://td.test/w"]);
    assert.deepEqual(csr.dnsSans, ["w.td.test"]);
    assert.equal(csr.verifySignature(), true);

    const made = await peculiar.X509CertificateGenerator.createSelfSigned({
      serialNumber: "00ff01",
      name: "CN=root",
      notBefore: testNow,
      notAfter: testNow,
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new peculiar.BasicConstraintsExtension(true, 2, true),
        new peculiar.KeyUsagesExtension(peculiar.KeyUsageFlags.keyCertSign, true),
        await peculiar.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await peculiar.AuthorityKeyIdentifierExtension.create(keys.publicKey),
        names,
      ],
    });
    const certificate = Certificate.parse(new Uint8Array(made.rawData));
    assert.equal(certificate.pathLength, 2);
    assert.deepEqual(certificate.subjectKeyId, certificate.authorityKeyId);
    assert.deepEqual([...(certificate.keyUsage ?? [])], ["keyCertSign"]);
    assert.ok(certificate.isSignedBy(certificate.publicKey));
  });

  test("it reads the requests that we make", async () => {
    const spiffeId = SpiffeId.parse("spiffe://td.test/w");
    const der = createCsr({
      privateKey: testKey().privateKey,
      spiffeId,
      subject: { commonName: "w" },
    });
    const request = new peculiar.Pkcs10CertificateRequest(Buffer.from(der));
    assert.equal(request.subject, "CN=w");
    assert.equal(await request.verify(), true);
    const names = request.extensions.find(
      (extension) => extension instanceof peculiar.SubjectAlternativeNameExtension,
    );
    assert.deepEqual(names?.names.toJSON(), [{ type: "url", value: "spiffe://td.test/w" }]);
  });

  test("both write the same names", () => {
    const parts = {
      country: "DE",
      organization: "Example \u00e4",
      commonName: "w",
      serialNumber: "7",
    };
    const theirs = new peculiar.Name(Buffer.from(distinguishedName(parts)));
    assert.equal(theirs.toString(), "C=DE, O=Example \u00e4, CN=w, 2.5.4.5=7");
  });
});

suite("Certificate, compared with node:crypto", () => {
  test("both read the same of what we make", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const { der } = root.leaf(shape);
        const ours = Certificate.parse(der);
        const theirs = new NodeCertificate(der);
        assert.equal(BigInt(`0x${ours.serialNumberHex}`), BigInt(`0x${theirs.serialNumber}`));
        assert.equal(ours.notBefore.getTime(), theirs.validFromDate.getTime());
        assert.equal(ours.notAfter.getTime(), theirs.validToDate.getTime());
        assert.ok(ours.publicKey.equals(theirs.publicKey));
        assert.equal(ours.isSignedBy(root.publicKey), theirs.verify(root.publicKey));
        const names = [
          ...ours.uriSans.map((uri) => `URI:${uri}`),
          ...ours.dnsSans.map((name) => `DNS:${name}`),
        ];
        assert.equal(names.join(", "), theirs.subjectAltName ?? "");
      }),
    );
  });

  test("both read the same of the certificates that the Web trusts", () => {
    for (const pem of rootCertificates) {
      const theirs = new NodeCertificate(pem);
      const ours = Certificate.parse(theirs.raw);
      assert.equal(BigInt(`0x${ours.serialNumberHex}`), BigInt(`0x${theirs.serialNumber}`));
      assert.equal(ours.notBefore.getTime(), theirs.validFromDate.getTime());
      assert.equal(ours.notAfter.getTime(), theirs.validToDate.getTime());
      assert.equal(ours.isCa, theirs.ca);
      assert.ok(ours.isSelfIssued);
      assert.ok(ours.publicKey.equals(theirs.publicKey));
    }
  });
});

if (requires("openssl")) {
  suite("verifyX509Svid, compared with openssl verify", () => {
    const intermediate = root.intermediate();
    const lower = intermediate.intermediate({}, "lower");
    const rsaRoot = TestAuthority.root({ key: testKey("rsa-2048") });
    const edRoot = TestAuthority.root({ key: testKey("ed25519") });
    const chains: readonly (readonly [string, TestAuthority, readonly Issued[]])[] = [
      ["L01 the baseline", root, [root.leaf()]],
      ["C01 an intermediate", root, [intermediate.leaf(), intermediate]],
      ["C24 intermediates out of order", root, [lower.leaf(), intermediate, lower]],
      ["A01 a P-521 leaf", root, [root.leaf({ key: testKey("P-521") })]],
      ["an RSA root", rsaRoot, [rsaRoot.leaf()]],
      ["A02 RSASSA-PSS", rsaRoot, [rsaRoot.leaf({ signature: rsaPssSha256 })]],
      ["an Ed25519 root", edRoot, [edRoot.leaf()]],
    ];
    for (const [title, top, chain] of chains) {
      test(`both accept ${title}`, async () => {
        const certificates = chain.map(({ der }) => Certificate.parse(der));
        const bundle = new Bundle(TrustDomain.parse("td.test"), {
          x509Authorities: [top.certificate],
        });
        assert.equal(verifyX509Svid(certificates, bundle, testNow).id.path, "/w");

        await using dir = await TempDir.open();
        const [leaf, ...others] = certificates;
        assert.ok(leaf !== undefined);
        const write = async (name: string, list: readonly Certificate[]): Promise<string> => {
          await writeFile(dir.join(name), formatCertificatesPem(list));
          return dir.join(name);
        };
        const untrusted = others.length === 0 ? [] : ["-untrusted", await write("others", others)];
        const output = execFileSync("openssl", [
          "verify",
          ...["-attime", String(testNow.getTime() / 1000), "-purpose", "sslserver"],
          ...["-CAfile", await write("root", [top.certificate]), ...untrusted],
          await write("leaf", [leaf]),
        ]);
        assert.match(output.toString(), /: OK\n$/);
      });
    }
  });

  suite("createCsr, compared with openssl req", () => {
    for (const type of ["P-256", "P-384", "P-521", "rsa-2048", "ed25519"] as const) {
      test(`openssl accepts a request for a ${type} key`, async () => {
        await using dir = await TempDir.open();
        const spiffeId = SpiffeId.parse("spiffe://td.test/w");
        const { privateKey } = testKey(type);
        await writeFile(dir.join("csr"), createCsr({ privateKey, spiffeId, dnsNames: ["w.test"] }));
        const text = execFileSync(
          "openssl",
          ["req", "-inform", "DER", "-in", dir.join("csr"), "-verify", "-noout", "-text"],
          { stdio: ["ignore", "pipe", "ignore"] },
        ).toString();
        assert.match(text, /URI:spiffe:\/\/td\.test\/w, DNS:w\.test/);
      });
    }

    test("we accept a request that openssl makes", async () => {
      await using dir = await TempDir.open();
      const args = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=w"];
      const extra = ["-addext", "subjectAltName=URI:spiffe://td.test/w", "-outform", "DER"];
      const files = ["-keyout", dir.join("key"), "-out", dir.join("csr")];
      execFileSync("openssl", [...args, ...extra, ...files], { stdio: "ignore" });
      const csr = parseCsr(await readFile(dir.join("csr")));
      assert.deepEqual(csr.uriSans, ["spiffe://td.test/w"]);
      assert.equal(csr.verifySignature(), true);
    });
  });
}
