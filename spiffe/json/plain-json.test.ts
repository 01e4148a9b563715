import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { formatJson, toPlainJson } from "./plain-json.ts";

suite("plain JSON", () => {
  test("turns whole numbers into numbers where that loses nothing", () => {
    assert.equal(toPlainJson(7n), 7);
    assert.equal(toPlainJson(2n ** 53n), 2n ** 53n);
    assert.equal(toPlainJson(0.5), 0.5);
  });

  test("writes values without white space, and leaves out members without value", () => {
    const value = { a: undefined, b: [1, "x", null, true], c: 2n ** 64n, "\u00e4\n": 0.5 };
    assert.equal(
      formatJson(value),
      '{"b":[1,"x",null,true],"c":18446744073709551616,"\u00e4\\n":0.5}',
    );
  });

  test("writes no numbers that JSON does not know", () => {
    assert.throws(() => formatJson(Number.NaN), RangeError);
    assert.throws(() => formatJson([Number.POSITIVE_INFINITY]), RangeError);
  });
});
