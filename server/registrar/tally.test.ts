import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type GroupRecord, Tally } from "./tally.ts";

function granted(
  resource: string,
  spiffeId: string,
  rootOwner = "Deployment/shop/web",
): GroupRecord {
  return { resource, kind: "entry", pod: "shop/p", spiffeId, rootOwner };
}

describe("Tally", () => {
  it("counts what came of each resource, and forgets what is gone", () => {
    const changed = new Set<string>();
    const tally = new Tally((resource) => changed.add(resource));
    tally.set("pod:1", [granted("A", "x"), { resource: "B", kind: "masked", pod: "shop/p" }]);
    tally.set("pod:2", [{ resource: "A", kind: "failed", pod: "shop/q", message: "bad" }]);
    const { selected, entries, failed, errors } = tally.of("A");
    assert.deepEqual([selected, entries, failed], [2, 1, 1]);
    assert.deepEqual(errors, [{ pod: "shop/q", message: "bad" }]);
    assert.equal(tally.of("B").masked, 1);
    assert.deepEqual([...changed].sort(), ["A", "B"]);
    tally.set("pod:2", []);
    tally.set("pod:1", []);
    assert.equal(tally.of("A").selected, 0);
  });

  it("names other identities of the same pods", () => {
    const tally = new Tally(() => {});
    tally.set("pod:1", [granted("A", "x"), granted("B", "y")]);
    assert.deepEqual(tally.of("A").conflicts, [{ pod: "shop/p", spiffeId: "y", by: "B" }]);
  });

  it("names the owners behind an ID, also when they come by different resources", () => {
    const tally = new Tally(() => {});
    tally.set("pod:1", [granted("A", "x", "Deployment/shop/web")]);
    assert.deepEqual(tally.of("A").shared, []);
    tally.set("pod:2", [granted("B", "x", "Job/shop/x")]);
    const shared = [{ spiffeId: "x", owners: ["Deployment/shop/web", "Job/shop/x"] }];
    assert.deepEqual([tally.of("A").shared, tally.of("B").shared], [shared, shared]);
    tally.set("pod:2", []);
    assert.deepEqual(tally.of("A").shared, []);
  });

  it("remembers what the server refused until it takes it", () => {
    const tally = new Tally(() => {});
    tally.set("pod:1", [granted("A", "x")]);
    tally.refused("pod:1", "A", "no");
    assert.deepEqual([tally.of("A").refused, tally.refusedCount], [1, 1]);
    tally.refused("pod:1", "A", undefined);
    assert.equal(tally.of("A").refused, 0);
  });
});
