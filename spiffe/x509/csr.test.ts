import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { damaged, survives } from "../../test/support/hostile.ts";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import { ecdsaSha1, ecdsaSha256, testKey, uriSan } from "../../test/support/test-ca.ts";
import { SpiffeId } from "../id/spiffe-id.ts";
import { createCsr, MAX_CSR_BYTES, parseCsr } from "./csr.ts";
import * as der from "./der-writer.ts";
import { EXTENSION_REQUEST_OID } from "./oids.ts";

const key = testKey();
const spki = key.publicKey.export({ format: "der", type: "spki" });
const noAttributes = der.context(0);

/** A request put together by hand; the parts of the signed half are given. */
function request(
  parts: readonly Uint8Array[] = [der.integer(0), der.sequence(), spki, noAttributes],
  signature = ecdsaSha256,
): Uint8Array {
  const info = der.sequence(...parts);
  const value = der.bitString(signature.sign(info, key.privateKey));
  return der.sequence(info, signature.identifier, value);
}

function attribute(oid: string, ...values: readonly Uint8Array[]): Uint8Array {
  return der.sequence(der.oid(oid), der.setOf(...values));
}

const withAttributes = (...attributes: readonly Uint8Array[]): Uint8Array =>
  request([der.integer(0), der.sequence(), spki, der.context(0, ...attributes)]);

suite("createCsr and parseCsr", () => {
  for (const type of ["P-256", "P-384", "P-521", "rsa-2048", "ed25519"] as const) {
    test(`a request for a ${type} key is read as it was made`, () => {
      const { privateKey, publicKey } = testKey(type);
      const csr = parseCsr(
        createCsr({
          privateKey,
          subject: { commonName: "w", organization: "Example", country: "DE", serialNumber: "7" },
          spiffeId: SpiffeId.parse("spiffe://td.test/w"),
          dnsNames: ["a.test", "b.test"],
        }),
      );
      assert.deepEqual(csr.uriSans, ["spiffe://td.test/w"]);
      assert.deepEqual(csr.dnsSans, ["a.test", "b.test"]);
      assert.ok(csr.publicKey.equals(publicKey));
      assert.equal(csr.verifySignature(), true);
    });
  }

  test("a request without names has none", () => {
    const csr = parseCsr(createCsr({ privateKey: key.privateKey }));
    assert.deepEqual(csr.subjectAltNames, []);
    assert.equal(csr.subjectDer.length, 2);
  });

  test("no request is made for a key that we do not use", () => {
    const { privateKey } = testKey("P-224");
    assert.throws(() => createCsr({ privateKey }), {
      name: "TypeError",
      message: "no certificate request for curve secp224r1",
    });
  });
});

suite("parseCsr", () => {
  test("takes the barest request, and attributes that it does not know", () => {
    assert.equal(parseCsr(request()).verifySignature(), true);
    const challenge = attribute("1.2.840.113549.1.9.7", der.utf8String("secret"));
    assert.equal(parseCsr(withAttributes(challenge)).verifySignature(), true);
  });

  test("refuses what is too large before it looks at it", () => {
    assert.throws(
      () => parseCsr(new Uint8Array(MAX_CSR_BYTES + 1)),
      spiffeRefused("csr_too_large", "certificate request must not be larger than 16384 bytes"),
    );
    assert.throws(() => parseCsr(new Uint8Array(1 << 20)), spiffeRefused("csr_too_large"));
  });

  test("refuses bytes at the end, everywhere", () => {
    const nothing = der.nullValue();
    const cases = [
      Buffer.concat([request(), Buffer.of(0)]),
      request([der.integer(0), der.sequence(), spki, noAttributes, nothing]),
      withAttributes(der.sequence(der.oid("1.2.3"), der.setOf(nothing), nothing)),
    ];
    for (const bytes of cases) assert.throws(() => parseCsr(bytes), spiffeRefused("der_malformed"));
  });

  test("refuses another version", () => {
    assert.throws(
      () => parseCsr(request([der.integer(1), der.sequence(), spki, noAttributes])),
      spiffeRefused("csr_malformed", "certificate request is malformed: the version must be 0"),
    );
  });

  test("refuses an attribute that is there twice", () => {
    const twice = attribute("1.2.3", der.nullValue());
    assert.throws(
      () => parseCsr(withAttributes(twice, twice)),
      spiffeRefused("csr_malformed", "certificate request is malformed: an attribute occurs twice"),
    );
  });

  test("refuses extensions that are there twice, in one list or in two", () => {
    const san = uriSan("spiffe://td.test/w");
    const list = der.sequence(san);
    assert.throws(
      () => parseCsr(withAttributes(attribute(EXTENSION_REQUEST_OID, der.sequence(san, san)))),
      spiffeRefused("certificate_extension_duplicate"),
    );
    assert.throws(
      () => parseCsr(withAttributes(attribute(EXTENSION_REQUEST_OID, list, list))),
      spiffeRefused("der_malformed"),
    );
  });

  test("tells a signature of another key from the right one", () => {
    const [other, own] = [testKey(), createCsr({ privateKey: key.privateKey })];
    const stolen = Buffer.from(own);
    const otherSpki = other.publicKey.export({ format: "der", type: "spki" });
    stolen.set(otherSpki, stolen.indexOf(spki));
    assert.equal(parseCsr(stolen).verifySignature(), false);
  });

  test("refuses SHA-1", () => {
    const csr = parseCsr(request(undefined, ecdsaSha1));
    assert.throws(() => csr.verifySignature(), spiffeRefused("signature_algorithm"));
  });

  test("refuses an algorithm that is not one for the key", () => {
    const rsa = { identifier: der.sequence(der.oid("1.2.840.113549.1.1.11"), der.nullValue()) };
    const csr = parseCsr(request(undefined, { ...ecdsaSha256, ...rsa }));
    assert.equal(csr.verifySignature(), false);
  });

  test("names a key that cannot be imported as the reason", () => {
    const point = Buffer.alloc(65, 1).fill(4, 0, 1);
    const algorithm = der.sequence(der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.10045.3.1.7"));
    const bad = der.sequence(algorithm, der.bitString(point));
    const csr = parseCsr(request([der.integer(0), der.sequence(), bad, noAttributes]));
    assert.throws(() => csr.verifySignature(), spiffeRefused("public_key_unsupported"));
  });

  test("tells what kind of key it is without importing it", () => {
    const algorithmOf = (type: Parameters<typeof testKey>[0]) =>
      parseCsr(createCsr({ privateKey: testKey(type).privateKey })).publicKeyAlgorithm;
    assert.deepEqual(algorithmOf("P-384"), { type: "ec", curve: "P-384" });
    assert.deepEqual(algorithmOf("ed25519"), { type: "ed25519" });
    const rsa = algorithmOf("rsa-1024");
    assert.ok(rsa.type === "rsa");
    assert.equal(rsa.modulusBits, 1024);
    assert.equal(rsa.modulus.length, 128);
    assert.deepEqual([...rsa.publicExponent], [1, 0, 1]);
  });
});

suite("parseCsr: properties", () => {
  test("a damaged request is read or refused, and never passes as signed", () => {
    const sample = createCsr({
      privateKey: key.privateKey,
      spiffeId: SpiffeId.parse("spiffe://td.test/w"),
      dnsNames: ["a.test"],
    });
    fc.assert(
      fc.property(damaged(sample), (input) => {
        survives(() => {
          const isSame = Buffer.from(input).equals(sample);
          assert.ok(isSame || !parseCsr(input).verifySignature());
        });
      }),
      { numRuns: 1500 },
    );
  });
});
