import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Ids } from "./ids.ts";
import { systemRandom } from "./random.ts";

describe("Ids", () => {
  it("counts behind a prefix that is drawn once", () => {
    const ids = new Ids({ bytes: (length) => new Uint8Array(length).fill(0xab), uniform: () => 0 });
    assert.equal(ids.next(), "abababababab-1");
    assert.equal(ids.next(), "abababababab-2");
  });

  it("differs between two sources", () => {
    assert.notEqual(new Ids(systemRandom).next(), new Ids(systemRandom).next());
  });
});
