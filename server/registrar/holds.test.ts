import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemRandom } from "../../runtime/random.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { Holds } from "./holds.ts";

describe("Holds", () => {
  it("lets go what came back, and ends when all of it did", () => {
    const holds = new Holds({ clock: systemClock, random: systemRandom });
    holds.add("mass_loss", "m", ["a", "b"]);
    assert.deepEqual([holds.has("a"), holds.has("c"), holds.isTotal], [true, false, false]);
    holds.letGo("a");
    assert.equal(holds.has("a"), false);
    holds.letGo("b");
    assert.deepEqual(holds.all, []);
  });

  it("holds everything until it is released", () => {
    const holds = new Holds({ clock: systemClock, random: systemRandom });
    const { id } = holds.add("other_cluster", "m", undefined);
    holds.letGo("a");
    assert.deepEqual([holds.has("a"), holds.isTotal], [true, true]);
    assert.equal(holds.release(id)?.reason, "other_cluster");
    assert.equal(holds.release(id), undefined);
    assert.equal(holds.isTotal, false);
  });
});
