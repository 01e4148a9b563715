import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { damagedText, survives } from "../../test/support/hostile.ts";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import { formatPem, parsePem, parsePemOf } from "./pem.ts";

const block = formatPem("CERTIFICATE", new Uint8Array(100).fill(7));

suite("PEM", () => {
  test("is read as it was written", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 })), (list) => {
        const text = list.map((bytes) => formatPem("X", bytes)).join("");
        const read = parsePemOf("X", text);
        assert.deepEqual(
          read.map((bytes) => [...bytes]),
          list.map((bytes) => [...bytes]),
        );
      }),
    );
  });

  test("is written in lines of 64 characters", () => {
    const [begin, first = "", ...rest] = block.split("\n");
    assert.equal(begin, "-----BEGIN CERTIFICATE-----");
    assert.equal(first.length, 64);
    assert.deepEqual(rest.slice(-2), ["-----END CERTIFICATE-----", ""]);
  });

  test("may hold blank lines, comments and carriage returns", () => {
    const text = `# the root\n\n${block}\n# the next\n${block}`.replaceAll("\n", "\r\n");
    assert.equal(parsePem(text).length, 2);
    assert.deepEqual(parsePem(""), []);
  });

  const [, body = ""] = block.split("\n");
  const bad: readonly (readonly [string, string, string])[] = [
    ["text outside of a block", `hello\n${block}`, "line 1 belongs to no block"],
    ["a marker that is mangled", block.replace("BEGIN", "BEGN"), "line 1 belongs to no block"],
    ["a block without end", block.slice(0, 90), "the last block has no end"],
    ["an end of another kind", block.replace("END CERT", "END KEY"), "line 5 is not base64"],
    ["a header", block.replace("\n", "\nProc-Type: 4\n"), "line 2 is not base64"],
    [
      "a space in the base64",
      block.replace(body, `${body.slice(0, 9)} ${body.slice(9)}`),
      "line 2 is not base64",
    ],
    [
      "padding in the middle",
      block.replace(body, "AA=="),
      "the block that ends at line 5 is not base64",
    ],
    [
      "an empty block",
      "-----BEGIN X-----\n-----END X-----\n",
      "the block that ends at line 2 is not base64",
    ],
  ];
  for (const [title, text, message] of bad) {
    test(`with ${title} is refused`, () => {
      assert.throws(() => parsePem(text), spiffeRefused("pem_malformed", `not PEM: ${message}`));
    });
  }

  test("of another kind than the one asked for is refused", () => {
    assert.throws(
      () => parsePemOf("PRIVATE KEY", block),
      spiffeRefused("pem_malformed", "not PEM: expected PRIVATE KEY, found CERTIFICATE"),
    );
  });

  test("that is damaged is read or refused", () => {
    fc.assert(
      fc.property(damagedText(block, "-BEGIN ACX=+/\n#\u00e4"), (text) =>
        survives(() => parsePem(text)),
      ),
    );
  });
});
