import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judgeClusters } from "./cluster-health.ts";

const cluster = (name: string, podsAgeMs: number) => ({
  name,
  pods: { ageMs: podsAgeMs },
  nodes: { ageMs: 0 },
  namespaces: { ageMs: 0 },
});

describe("judgeClusters", () => {
  it("is content with none, and with those it has heard of lately", () => {
    assert.deepEqual(judgeClusters([]), { state: "ok" });
    assert.deepEqual(judgeClusters([cluster("east", 150_000)]), { state: "ok" });
  });

  it("names those it has not, and those it has never heard of", () => {
    const clusters = [cluster("east", 150_001), cluster("west", 0), cluster("north", Infinity)];
    assert.deepEqual(judgeClusters(clusters), {
      state: "degraded",
      detail: "not up to date about east, north",
    });
  });
});
