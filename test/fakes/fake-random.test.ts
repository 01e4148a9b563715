import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeRandom } from "./fake-random.ts";

describe("FakeRandom", () => {
  it("gives the same sequence for the same seed and another for another", () => {
    const draw = (seed: string): unknown[] => {
      const random = new FakeRandom(seed);
      return [random.bytes(40), random.uniform(), random.bytes(3)];
    };
    assert.deepEqual(draw("a"), draw("a"));
    assert.notDeepEqual(draw("a"), draw("b"));
  });

  it("draws from the whole of [0, 1)", () => {
    const random = new FakeRandom();
    const drawn = Array.from({ length: 1000 }, () => random.uniform());
    assert.ok(drawn.every((value) => value >= 0 && value < 1));
    assert.ok(Math.min(...drawn) < 0.01 && Math.max(...drawn) > 0.99);
  });
});
