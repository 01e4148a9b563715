import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Progress } from "./progress.ts";

describe("Progress", () => {
  it("owes nothing for revisions that do not concern the agent", () => {
    const progress = new Progress();
    assert.equal(progress.isBehind(100n, "applied"), false);
    progress.changed(101n);
    assert.equal(progress.isBehind(100n, "applied"), false);
    assert.equal(progress.isBehind(101n, "applied"), true);
  });

  it("is behind from the commit until the acknowledgement, sent or not", () => {
    const progress = new Progress();
    progress.changed(5n);
    assert.equal(progress.isBehind(5n, "applied"), true);
    progress.sent(7n);
    assert.equal(progress.isBehind(5n, "applied"), true);
    progress.acknowledged("received", 7n);
    assert.equal(progress.isBehind(5n, "applied"), true);
    progress.acknowledged("applied", 7n);
    assert.equal(progress.isBehind(5n, "applied"), false);
    assert.equal(progress.isBehind(5n, "delivered"), true);
    progress.acknowledged("delivered", 7n);
    assert.equal(progress.isBehind(5n, "delivered"), false);
  });

  it("takes delivered for applied", () => {
    const progress = new Progress();
    progress.changed(5n);
    progress.sent(5n);
    progress.acknowledged("delivered", 5n);
    assert.equal(progress.isBehind(5n, "applied"), false);
  });

  it("keeps what was committed while an update was on its way", () => {
    const progress = new Progress();
    progress.changed(5n);
    progress.sent(5n);
    progress.changed(6n);
    progress.acknowledged("applied", 5n);
    assert.equal(progress.isBehind(5n, "applied"), false);
    assert.equal(progress.isBehind(6n, "applied"), true);
  });

  it("stays behind, and bounded, for an agent that never acknowledges", () => {
    const progress = new Progress();
    for (let revision = 1n; revision <= 2_000n; revision++) {
      progress.changed(revision);
      progress.sent(revision);
    }
    assert.equal(progress.isBehind(1n, "applied"), true);
    progress.acknowledged("applied", 1_999n);
    assert.equal(progress.isBehind(2_000n, "applied"), true);
    progress.acknowledged("applied", 2_000n);
    assert.equal(progress.isBehind(2_000n, "applied"), false);
  });
});
