import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inTurns, slicesOf } from "./slices.ts";

describe("slices of a list", () => {
  it("hold each item once, in order", () => {
    assert.deepEqual([...slicesOf([1, 2, 3, 4, 5], 2)], [[1, 2], [3, 4], [5]]);
    assert.deepEqual([...slicesOf([1, 2], 2)], [[1, 2]]);
    assert.deepEqual([...slicesOf([], 2)], []);
  });

  it("leave the event loop a turn after each", async () => {
    let turns = 0;
    const seen: [number, readonly number[]][] = [];
    for await (const slice of inTurns([1, 2, 3, 4, 5], 2)) {
      seen.push([turns, slice]);
      setImmediate(() => (turns += 1));
    }
    assert.deepEqual(seen, [
      [0, [1, 2]],
      [1, [3, 4]],
      [2, [5]],
    ]);
  });
});
