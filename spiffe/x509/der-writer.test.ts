import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as der from "./der-writer.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

suite("der-writer", () => {
  test("writes numbers in their shortest form", () => {
    assert.equal(hex(der.integer(0)), "020100");
    assert.equal(hex(der.integer(127)), "02017f");
    assert.equal(hex(der.integer(128)), "02020080");
    assert.equal(hex(der.integer(-1)), "0201ff");
    assert.equal(hex(der.integer(-129)), "0202ff7f");
    assert.equal(hex(der.integer(2n ** 64n)), "0209010000000000000000");
    assert.equal(hex(der.integer(Uint8Array.of(0, 0, 0x80))), "02020080");
    assert.equal(hex(der.integer(new Uint8Array())), "020100");
  });

  test("writes a set in the order of its elements' bytes", () => {
    assert.equal(hex(der.setOf(der.integer(2), der.integer(1))), "3106020101020102");
  });

  test("writes named bits without those at the end that are zero", () => {
    assert.equal(hex(der.namedBits(0)), "03020780");
    assert.equal(hex(der.namedBits(5, 6)), "03020106");
    assert.equal(hex(der.namedBits(0, 8)), "0303078080");
    assert.equal(hex(der.namedBits()), "030100");
  });

  test("writes times as UTCTime through 2049 and as GeneralizedTime from then on", () => {
    const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1").slice(2);
    assert.equal(utf8(der.time(new Date("2049-12-31T23:59:59.999Z"))), "491231235959Z");
    assert.equal(utf8(der.time(new Date("2050-01-01T00:00:00Z"))), "20500101000000Z");
    assert.throws(() => der.time(new Date("1949-12-31T23:59:59Z")), RangeError);
    assert.throws(() => der.time(new Date(Number.NaN)), RangeError);
  });

  test("writes context tags", () => {
    assert.equal(hex(der.context(3, der.nullValue())), "a3020500");
    assert.equal(hex(der.contextValue(6, Uint8Array.of(0x61))), "860161");
  });

  test("refuses what it cannot write", () => {
    assert.throws(() => der.oid("1"), RangeError);
    assert.throws(() => der.oid("1.40"), RangeError);
    assert.throws(() => der.oid("3.1"), RangeError);
    assert.throws(() => der.oid("1.02"), RangeError);
    assert.throws(() => der.ia5String("\u00e4"), RangeError);
    assert.throws(() => der.printableString("a@b"), RangeError);
  });
});
