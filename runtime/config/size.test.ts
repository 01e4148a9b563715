import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatSize, parseSize } from "./size.ts";

describe("parseSize", () => {
  it("reads decimal and binary units", () => {
    assert.equal(parseSize("12B"), 12);
    assert.equal(parseSize("1kB"), 1000);
    assert.equal(parseSize("4MiB"), 4_194_304);
    assert.equal(parseSize("1GiB"), 1_073_741_824);
  });

  for (const text of ["", "4", "4mb", "-1MiB", "1.5MiB", "4 MiB", "MiB", "4MiBs", "1toString"]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseSize(text), undefined));
  }
});

describe("formatSize", () => {
  it("writes what parseSize reads", () => {
    fc.assert(fc.property(fc.nat(2 ** 31 - 1), (bytes) => parseSize(formatSize(bytes)) === bytes));
    assert.equal(formatSize(4_194_304), "4MiB");
  });
});
