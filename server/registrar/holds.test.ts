import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemRandom } from "../../runtime/random.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { Holds } from "./holds.ts";

describe("Holds", () => {
  it("lets go what came back, and ends when all of it did", () => {
    const holds = new Holds({ clock: systemClock, random: systemRandom });
    holds.add({ reason: "mass_loss", message: "m", kinds: ["pods"], groups: ["a", "b"] });
    assert.deepEqual([holds.has("a"), holds.has("c"), holds.isTotal], [true, false, false]);
    assert.equal(holds.letGo("a", "pods"), false);
    assert.equal(holds.has("a"), false);
    assert.equal(holds.letGo("b", "pods"), true);
    assert.deepEqual(holds.all, []);
  });

  it("keeps a group while what was missing is something else than what came back", () => {
    const holds = new Holds({ clock: systemClock, random: systemRandom });
    holds.add({ reason: "mass_loss", message: "m", kinds: ["nodes"], groups: ["a"] });
    assert.equal(holds.letGo("a", "pods"), false);
    assert.equal(holds.has("a"), true);
    assert.equal(holds.letGo("a"), true);
    assert.equal(holds.has("a"), false);
  });

  it("holds everything until it is released", () => {
    const holds = new Holds({ clock: systemClock, random: systemRandom });
    const { id } = holds.add({
      reason: "other_cluster",
      message: "m",
      kinds: [],
      groups: undefined,
    });
    holds.letGo("a");
    assert.deepEqual([holds.has("a"), holds.isTotal], [true, true]);
    assert.equal(holds.release(id)?.reason, "other_cluster");
    assert.equal(holds.release(id), undefined);
    assert.equal(holds.isTotal, false);
  });
});
