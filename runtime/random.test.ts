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

  it("never gives the same bytes twice, nor a view of what it gives next", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 1000; i++) {
      const drawn = systemRandom.bytes(16);
      assert.equal(drawn.byteLength, drawn.buffer.byteLength);
      seen.add(Buffer.from(drawn).toString("hex"));
    }
    assert.equal(seen.size, 1000);
    assert.equal(systemRandom.bytes(5000).length, 5000);
  });

  it("draws from [0, 1)", () => {
    for (let i = 0; i < 1000; i++) {
      const drawn = systemRandom.uniform();
      assert.ok(drawn >= 0 && drawn < 1);
    }
  });
});
