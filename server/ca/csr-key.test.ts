import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SpiffeError } from "../../spiffe/error.ts";
import { createCsr, parseCsr } from "../../spiffe/x509/csr.ts";
import { findCsrKey } from "./csr-key.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const csrDer = createCsr({ privateKey, subject: { country: "US" }, dnsNames: ["a.test"] });

describe("findCsrKey", () => {
  it("finds the key that the whole reading finds, as a part of the same bytes", () => {
    const spki = findCsrKey(csrDer);
    assert.ok(spki !== undefined);
    assert.deepEqual(Buffer.from(spki), publicKey.export({ format: "der", type: "spki" }));
    assert.equal(spki.buffer, csrDer.buffer);
  });

  it("finds nothing else than the whole reading, whatever the bytes", () => {
    const changes = fc.array(fc.tuple(fc.nat(csrDer.length - 1), fc.nat(255)), { maxLength: 3 });
    fc.assert(
      fc.property(changes, fc.nat(csrDer.length), (changed, length) => {
        const bytes = Uint8Array.from(csrDer).subarray(0, length);
        for (const [at, value] of changed) bytes[at] = value;
        const found = findCsrKey(bytes);
        try {
          const { spkiDer } = parseCsr(bytes);
          assert.deepEqual(found, spkiDer);
        } catch (err) {
          if (!(err instanceof SpiffeError)) throw err;
        }
      }),
      { numRuns: 500 },
    );
  });

  it("does not look at a request that is too large", () => {
    assert.equal(findCsrKey(new Uint8Array(20_000)), undefined);
    assert.equal(findCsrKey(new Uint8Array()), undefined);
  });
});
