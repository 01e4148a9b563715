import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Pending } from "./pending.ts";

describe("Pending", () => {
  it("keeps each name once, however often it changes", () => {
    const pending = new Pending();
    pending.addEntries(["a", "b"]);
    pending.addEntries(["a"]);
    pending.addBundle("x.test");
    pending.addBundle("x.test");
    assert.deepEqual(pending.take(), {
      whole: undefined,
      entryIds: ["a", "b"],
      bundles: ["x.test"],
    });
    assert.equal(pending.isEmpty, true);
  });

  it("gives up on names when there are too many, and asks for a comparison", () => {
    const pending = new Pending();
    for (let i = 0; i < 20_000; i++) pending.addEntries([`entry-${i}`]);
    const { whole, entryIds } = pending.take();
    assert.equal(whole, "inventory");
    assert.deepEqual(entryIds, []);
  });

  it("lets a snapshot stand for everything else about entries", () => {
    const pending = new Pending();
    pending.addEntries(["a"]);
    pending.addWhole("snapshot");
    pending.addWhole("inventory");
    pending.addEntries(["b"]);
    assert.deepEqual(pending.take(), { whole: "snapshot", entryIds: [], bundles: [] });
  });

  it("may have nothing but the place to tell", () => {
    const pending = new Pending();
    pending.addPlace();
    assert.equal(pending.isEmpty, false);
    assert.deepEqual(pending.take(), { whole: undefined, entryIds: [], bundles: [] });
    assert.equal(pending.isEmpty, true);
  });
});
