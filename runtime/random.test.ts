import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemRandom } from "./random.ts";

describe("systemRandom", () => {
  it("gives as many bytes as asked, different each time", () => {
    const first = systemRandom.bytes(16);
    assert.equal(first.length, 16);
    assert.notDeepEqual(first, systemRandom.bytes(16));
    assert.equal(systemRandom.bytes(0).length, 0);
  });

  it("draws from [0, 1)", () => {
    for (let i = 0; i < 1000; i++) {
      const drawn = systemRandom.uniform();
      assert.ok(drawn >= 0 && drawn < 1);
    }
  });
});
