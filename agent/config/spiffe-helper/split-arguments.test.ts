import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { splitArguments } from "./split-arguments.ts";

describe("splitArguments", () => {
  const cases: readonly (readonly [text: string, words: readonly string[]])[] = [
    ["", []],
    ["one", ["one"]],
    ["-c /etc/x.conf", ["-c", "/etc/x.conf"]],
    ['-c "echo hello"', ["-c", "echo hello"]],
    ['"with ONE double-quote "" in it"', ['with ONE double-quote " in it']],
    ["a  b", ["a", "", "b"]],
    ["-c 'echo hello'", ["-c", "'echo", "hello'"]],
    ['""', [""]],
    ["a ", ["a", ""]],
  ];
  for (const [text, words] of cases) {
    it(`splits ${JSON.stringify(text)}`, () => assert.deepEqual(splitArguments(text), words));
  }

  for (const text of ['"open', 'a"b', '"a"b']) {
    it(`refuses ${text}`, () => {
      assert.throws(() => splitArguments(text), /double quote/);
    });
  }
});
