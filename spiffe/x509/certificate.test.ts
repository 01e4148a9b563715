import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { damaged, survives } from "../../test/support/hostile.ts";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import {
  basicConstraints,
  dnsName,
  extension,
  extKeyUsage,
  keyUsage,
  nameConstraints,
  secondsFromNow,
  subjectAltName,
  TestAuthority,
  testKey,
  uriName,
  uriSan,
} from "../../test/support/test-ca.ts";
import {
  Certificate,
  concatenateCertificates,
  MAX_CERTIFICATE_BYTES,
  parseConcatenatedCertificates,
} from "./certificate.ts";
import { formatCertificatesPem, parseCertificatesPem } from "./certificate-pem.ts";
import { DerReader } from "./der.ts";
import * as der from "./der-writer.ts";
import { ExtensionOid, ExtKeyUsageOid } from "./oids.ts";

const root = TestAuthority.root();

/** The elements of the signed part of a certificate, to be put together in another way. */
function partsOf(certificateDer: Uint8Array): { tbs: Uint8Array[]; rest: Uint8Array[] } {
  const certificate = new DerReader(certificateDer).sequence();
  const elements = (reader: DerReader): Uint8Array[] => {
    const found: Uint8Array[] = [];
    while (!reader.atEnd) found.push(reader.element());
    return found;
  };
  const [tbs, ...rest] = elements(certificate);
  return { tbs: elements(new DerReader(tbs ?? new Uint8Array()).sequence()), rest };
}

/** A certificate in which one element of the signed part is another. */
function withPart(index: number, part: Uint8Array): Uint8Array {
  const { tbs, rest } = partsOf(root.leaf().der);
  return der.sequence(der.sequence(...tbs.with(index, part)), ...rest);
}

suite("Certificate", () => {
  test("reads what SPIFFE needs to know", () => {
    const key = testKey("P-384");
    const issued = root.intermediate({
      key,
      subject: { commonName: "lower", country: "DE" },
      subjectAltName: subjectAltName([uriName("spiffe://td.test"), dnsName("ca.td.test")], false),
      basicConstraints: basicConstraints(true, 3),
      keyUsage: keyUsage("keyCertSign", "cRLSign"),
      extKeyUsage: extKeyUsage(ExtKeyUsageOid.clientAuth),
      notBefore: secondsFromNow(-5),
      notAfter: secondsFromNow(5),
      extra: [
        nameConstraints([uriName("td.test")]),
        extension(ExtensionOid.subjectKeyIdentifier, der.octetString(Uint8Array.of(1, 2))),
        extension(
          ExtensionOid.authorityKeyIdentifier,
          der.sequence(der.contextValue(0, Uint8Array.of(3, 4))),
        ),
        extension("1.2.3.4", der.nullValue(), true),
        extension("1.2.3.5", der.nullValue(), false),
      ],
    });
    const certificate = Certificate.parse(issued.der);
    assert.equal(certificate.isCa, true);
    assert.equal(certificate.pathLength, 3);
    assert.deepEqual([...(certificate.keyUsage ?? [])], ["keyCertSign", "cRLSign"]);
    assert.equal(certificate.isKeyUsageCritical, true);
    assert.deepEqual(certificate.extKeyUsages, [ExtKeyUsageOid.clientAuth]);
    assert.deepEqual(certificate.uriSans, ["spiffe://td.test"]);
    assert.deepEqual(certificate.dnsSans, ["ca.td.test"]);
    assert.equal(certificate.isSubjectAltNameCritical, false);
    assert.equal(certificate.spiffeId.toString(), "spiffe://td.test");
    assert.equal(certificate.notBefore.getTime(), secondsFromNow(-5).getTime());
    assert.equal(certificate.notAfter.getTime(), secondsFromNow(5).getTime());
    assert.deepEqual([...(certificate.subjectKeyId ?? [])], [1, 2]);
    assert.deepEqual([...(certificate.authorityKeyId ?? [])], [3, 4]);
    assert.deepEqual(certificate.nameConstraints, {
      permitted: [{ kind: "uri", text: "td.test" }],
      excluded: [],
    });
    assert.deepEqual(certificate.unknownCriticalExtensions, ["1.2.3.4"]);
    assert.deepEqual(certificate.publicKeyAlgorithm, { type: "ec", curve: "P-384" });
    assert.ok(certificate.publicKey.equals(key.publicKey));
    assert.ok(certificate.isSignedBy(root.publicKey));
    assert.equal(certificate.isSignedBy(key.publicKey), false);
    assert.equal(certificate.isSelfIssued, false);
    assert.equal(root.certificate.isSelfIssued, true);
  });

  test("refuses other versions than 3", () => {
    const message = "certificate is malformed: only version 3 is supported";
    const refusal = spiffeRefused("certificate_malformed", message);
    assert.throws(() => Certificate.parse(withPart(0, der.context(0, der.integer(1)))), refusal);
    const { tbs, rest } = partsOf(root.leaf().der);
    const version1 = der.sequence(der.sequence(...tbs.slice(1)), ...rest);
    assert.throws(() => Certificate.parse(version1), refusal);
  });

  test("refuses a signature algorithm that is another inside than outside", () => {
    assert.throws(
      () => Certificate.parse(withPart(2, der.sequence(der.oid("1.2.840.10045.4.3.3")))),
      spiffeRefused("certificate_malformed"),
    );
  });

  test("refuses a negative serial number", () => {
    assert.throws(
      () => Certificate.parse(withPart(1, der.integer(-1))),
      spiffeRefused("der_malformed"),
    );
  });

  test("refuses bytes after the certificate, and a certificate that is too large", () => {
    const leaf = root.leaf().der;
    assert.throws(
      () => Certificate.parse(Buffer.concat([leaf, Buffer.of(0)])),
      spiffeRefused("der_malformed"),
    );
    assert.throws(
      () => Certificate.parse(new Uint8Array(MAX_CERTIFICATE_BYTES + 1)),
      spiffeRefused("certificate_too_large", "certificate must not be larger than 65536 bytes"),
    );
  });

  test("takes a default that is spelt out, since such certificates are in use", () => {
    const spelt = extension(ExtensionOid.basicConstraints, der.sequence(der.boolean(false)));
    const certificate = Certificate.parse(root.leaf({ basicConstraints: spelt }).der);
    assert.equal(certificate.isCa, false);
  });

  test("refuses a public key that cannot be imported only when it is asked for", () => {
    const point = Buffer.alloc(65, 1).fill(4, 0, 1);
    const algorithm = der.sequence(der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.10045.3.1.7"));
    const certificate = Certificate.parse(
      withPart(6, der.sequence(algorithm, der.bitString(point))),
    );
    assert.throws(() => certificate.publicKey, spiffeRefused("public_key_unsupported"));
  });

  const badExtensions: readonly (readonly [string, Uint8Array])[] = [
    ["an empty SAN", subjectAltName([])],
    ["a SAN with an unknown kind of name", subjectAltName([der.contextValue(9, Buffer.of(1))])],
    ["a SAN that is not ASCII", uriSan(Uint8Array.of(0xe4))],
  ];
  for (const [title, bad] of badExtensions) {
    test(`refuses ${title}`, () => {
      assert.throws(
        () => Certificate.parse(root.leaf({ subjectAltName: bad }).der),
        spiffeRefused("certificate_extension"),
      );
    });
  }

  const otherBadExtensions: readonly (readonly [string, string, Uint8Array])[] = [
    ["no extended key usages", ExtensionOid.extKeyUsage, der.sequence()],
    ["empty name constraints", ExtensionOid.nameConstraints, der.sequence()],
    [
      "name constraints with an empty list",
      ExtensionOid.nameConstraints,
      der.sequence(der.context(0)),
    ],
    ["a key usage that does not exist", ExtensionOid.keyUsage, der.namedBits(9)],
  ];
  for (const [title, oid, value] of otherBadExtensions) {
    test(`refuses ${title}`, () => {
      const shape = { keyUsage: undefined, extKeyUsage: undefined, extra: [extension(oid, value)] };
      assert.throws(
        () => Certificate.parse(root.leaf(shape).der),
        spiffeRefused("certificate_extension"),
      );
    });
  }

  test("refuses something behind the value of an extension", () => {
    const value = Buffer.concat([der.sequence(), der.nullValue()]);
    const shape = { basicConstraints: extension(ExtensionOid.basicConstraints, value) };
    assert.throws(() => Certificate.parse(root.leaf(shape).der), spiffeRefused("der_malformed"));
  });
});

suite("concatenated certificates", () => {
  const certificates = [root.certificate, Certificate.parse(root.leaf().der)];

  test("are read as they were written, in DER and in PEM", () => {
    const concatenated = parseConcatenatedCertificates(concatenateCertificates(certificates));
    const pem = parseCertificatesPem(formatCertificatesPem(certificates));
    for (const read of [concatenated, pem]) {
      assert.equal(read.length, 2);
      assert.ok(read.every((certificate, index) => certificates[index]?.equals(certificate)));
    }
    assert.deepEqual(parseConcatenatedCertificates(new Uint8Array()), []);
  });

  test("beyond a thousand are refused", () => {
    const many = Buffer.concat(Array.from({ length: 1025 }, () => root.der));
    assert.throws(
      () => parseConcatenatedCertificates(many),
      spiffeRefused("certificate_malformed"),
    );
  });
});

suite("Certificate: properties", () => {
  test("a damaged certificate is read or refused, and never verified", () => {
    const { der: sample } = root.intermediate({
      extKeyUsage: extKeyUsage(ExtKeyUsageOid.serverAuth),
      extra: [nameConstraints([uriName("td.test")], [dnsName("x")])],
    });
    fc.assert(
      fc.property(damaged(sample), (input) => {
        survives(() => {
          const certificate = Certificate.parse(input);
          const isSame = Buffer.from(input).equals(sample);
          survives(() => certificate.spiffeId);
          survives(() => certificate.publicKey);
          survives(() => assert.ok(isSame || !certificate.isSignedBy(root.publicKey)));
        });
      }),
      { numRuns: 2000 },
    );
  });

  test("any bytes are read or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (input) => {
        survives(() => Certificate.parse(input));
        survives(() => parseConcatenatedCertificates(input));
      }),
    );
  });
});
