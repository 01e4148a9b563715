import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readLines } from "./read-lines.ts";

async function* inPieces(...pieces: readonly string[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece);
}

describe("readLines", () => {
  it("gives whole lines however the bytes are cut, and drops an unfinished one", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.string({ maxLength: 5 })), async (pieces) => {
        const whole = pieces.join("").split("\n").slice(0, -1);
        assert.deepEqual(await Array.fromAsync(readLines(inPieces(...pieces), 1_000)), whole);
      }),
    ));

  it("refuses a line that does not end", async () => {
    const lines = readLines(inPieces("ok\n", "x".repeat(60), "x".repeat(60)), 100);
    assert.equal((await lines.next()).value, "ok");
    await assert.rejects(lines.next(), /over 100 bytes/);
  });
});
