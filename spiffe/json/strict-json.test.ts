import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { damagedText, survives } from "../../test/support/hostile.ts";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import { formatJson, type PlainJson, toPlainJson } from "./plain-json.ts";
import { type JsonValue, parseStrictJson } from "./strict-json.ts";

const limits = { maxLength: 100_000 };
const parse = (text: string | Uint8Array): JsonValue => parseStrictJson(text, limits);

/** Objects without prototype and with it are the same here. */
const plain = (value: unknown): unknown => JSON.parse(formatJson(value as PlainJson));

suite("parseStrictJson: values", () => {
  test("reads every kind of value", () => {
    const text = ' { "a" : [ 1 , true , false , null , "x" ] , "b" : { } , "c" : [ ] } ';
    assert.deepEqual(plain(toPlainJson(parse(text))), {
      a: [1, true, false, null, "x"],
      b: {},
      c: [],
    });
  });

  test("keeps whole numbers of any size, and tells them from others", () => {
    assert.equal(parse("9007199254740993"), 9007199254740993n);
    assert.equal(parse("18446744073709551615"), 2n ** 64n - 1n);
    assert.equal(parse("-1"), -1n);
    assert.equal(parse("0"), 0n);
    assert.equal(parse("1.0"), 1);
    assert.equal(parse("1e3"), 1000);
    assert.equal(parse("-0"), -0);
  });

  test("reads escapes", () => {
    assert.equal(
      parse('"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud83e\\udd2f"'),
      '"\\/\b\f\n\r\t\u00e4\u{1f92f}',
    );
  });

  test("holds names that mean something to JavaScript like any other", () => {
    const object = parse('{"__proto__":1,"constructor":2,"toString":3}');
    assert.deepEqual(Object.keys(object as object), ["__proto__", "constructor", "toString"]);
    assert.equal((parse("{}") as Record<string, unknown>)["constructor"], undefined);
  });
});

suite("parseStrictJson: refusals", () => {
  const bad = [
    "",
    " ",
    "{",
    "[",
    "[1",
    "[1,]",
    "[,1]",
    "{,}",
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    "{a:1}",
    "{'a':1}",
    "01",
    "+1",
    "1.",
    ".5",
    "1e",
    "-",
    "0x1",
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "tru",
    "nulls",
    '"',
    '"\\',
    '"\\x"',
    '"\\u12g4"',
    '"\\u12',
    '"a\nb"',
    '"\u0000"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    "1 2",
    "{}{}",
    "[]x",
    "//\n1",
    "\ufeff1",
    "\u00a01",
    "1".repeat(401),
  ];
  for (const text of bad) {
    test(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
      assert.throws(() => parse(text), spiffeRefused("json_syntax", /^not JSON: unexpected /));
    });
  }

  test("refuses a member that is there twice, however it is written", () => {
    for (const text of [
      '{"a":1,"a":1}',
      '{"a":1,"\\u0061":1}',
      '[{"__proto__":1,"__proto__":1}]',
    ]) {
      assert.throws(() => parse(text), spiffeRefused("json_duplicate_member"));
    }
    assert.doesNotThrow(() => parse('{"a":{"a":1},"A":1}'));
  });

  test("refuses what is nested too deeply", () => {
    parse("[".repeat(32) + "]".repeat(32));
    assert.throws(
      () => parse("[".repeat(33) + "]".repeat(33)),
      spiffeRefused("json_too_deep", "JSON is nested deeper than 32"),
    );
    assert.throws(() => parse('{"a":'.repeat(20_000)), spiffeRefused("json_too_deep"));
  });

  test("refuses what is too long before it looks at it", () => {
    const message = "JSON must not be longer than 100000";
    assert.throws(() => parse(" ".repeat(100_001)), spiffeRefused("json_too_large", message));
    assert.throws(() => parse(new Uint8Array(100_001)), spiffeRefused("json_too_large", message));
  });

  test("refuses bytes that are not UTF-8, or begin with a byte order mark", () => {
    for (const hex of ["22ff22", "22c3", "22eda08022", "22c08022", "efbbbf31", "fffe3100"]) {
      assert.throws(() => parse(Buffer.from(hex, "hex")), spiffeRefused("json_syntax"), hex);
    }
    assert.equal(parse(Buffer.from('"\u00e4"')), "\u00e4");
  });
});

suite("parseStrictJson: properties", () => {
  const text = fc.json({ maxDepth: 5, stringUnit: "binary" });

  test("what JSON.parse reads, it reads alike", () => {
    fc.assert(
      fc.property(text, (json) => {
        fc.pre(json.isWellFormed());
        assert.deepEqual(plain(toPlainJson(parse(json))), JSON.parse(json));
      }),
    );
  });

  test("it reads nothing that JSON.parse refuses", () => {
    const sample = '{"a":[1,-2.5e3,"x\\u00e4\\n",true,null],"b":{"c":18446744073709551615}}';
    fc.assert(
      fc.property(damagedText(sample, '{}[]",:\\u0de-.1 tn\u0000\u00e4\ud800'), (json) => {
        survives(() => {
          const value = parse(json);
          assert.doesNotThrow(() => JSON.parse(json));
          assert.deepEqual(
            parse(formatJson(toPlainJson(value))),
            parse(formatJson(toPlainJson(value))),
          );
        });
      }),
      { numRuns: 2000 },
    );
  });

  test("what formatJson writes, it reads back", () => {
    const value = fc.letrec<{ json: PlainJson }>((tie) => ({
      json: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, false),
        fc.integer(),
        fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }),
        fc.string(),
        fc.array(tie("json"), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie("json"), { maxKeys: 4, noNullPrototype: false }),
      ),
    })).json;
    fc.assert(
      fc.property(value, (original) => {
        const read = toPlainJson(parse(formatJson(original)));
        assert.equal(formatJson(read), formatJson(original));
      }),
    );
  });

  test("any bytes are read or refused", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => survives(() => parse(bytes))));
  });
});
