import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readLines } from "./read-lines.ts";

async function* chunks(...texts: readonly string[]): AsyncIterable<Buffer> {
  for (const text of texts) yield Buffer.from(text, "latin1");
}

describe("readLines", () => {
  for (const { name, parts, lines } of [
    { name: "several in a chunk", parts: ["a\nbc\n"], lines: ["a", "bc"] },
    { name: "one over several chunks", parts: ["a", "b", "", "c\n"], lines: ["abc"] },
    { name: "an empty one", parts: ["\n\n"], lines: ["", ""] },
    { name: "a character cut in two", parts: ["\xc3", "\xa9\n"], lines: ["é"] },
    { name: "none from a line that was cut off", parts: ["a\nbc"], lines: ["a"] },
  ]) {
    it(`reads ${name}`, async () => {
      assert.deepEqual(await Array.fromAsync(readLines(chunks(...parts), 10)), lines);
    });
  }

  it("refuses a line that does not end in time, before it is whole", async () => {
    const lines = readLines(chunks("ok\n12345", "67890", "1", "\n"), 10);
    await assert.rejects(Array.fromAsync(lines), { name: "KubeError", code: "too_large" });
  });
});
