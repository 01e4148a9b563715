import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import { decodeBase64, decodeBase64Url, encodeBase64Url } from "./base64.ts";

suite("base64", () => {
  test("base64url is read as it was written", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        assert.deepEqual(Buffer.from(decodeBase64Url(encodeBase64Url(bytes))), Buffer.from(bytes));
      }),
    );
  });

  test("standard base64 is read as it was written", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString("base64");
        assert.deepEqual(Buffer.from(decodeBase64(text)), Buffer.from(bytes));
      }),
    );
  });

  test("base64url takes no padding, no other alphabet, no white space, no left-over bits", () => {
    for (const text of ["AA==", "+w", "/w", "A A", "AA\n", "A", "AB", "AAB", "AA.", "\u00e4"]) {
      assert.throws(() => decodeBase64Url(text), spiffeRefused("base64_malformed"), text);
    }
  });

  test("standard base64 takes nothing but its own padding", () => {
    for (const text of [
      "AA",
      "AA=",
      "-w==",
      "_w==",
      "A A=",
      "AA==\n",
      "AB==",
      "AAB=",
      "AA==AA==",
    ]) {
      assert.throws(() => decodeBase64(text), spiffeRefused("base64_malformed"), text);
    }
  });

  test("one byte string has one text", () => {
    const alphabet = fc.constantFrom(..."ABCDEFabcdef0189-_+/= \n");
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 12 }), (text) => {
        try {
          assert.equal(encodeBase64Url(decodeBase64Url(text)), text);
        } catch (err) {
          assert.equal(err instanceof Error && err.name, "SpiffeError");
        }
      }),
    );
  });
});
