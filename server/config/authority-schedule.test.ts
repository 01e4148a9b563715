import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { guaranteedTtl } from "./authority-schedule.ts";

const HOUR = 3600;

describe("authority schedule", () => {
  it("always leaves an agent's 24 hours of a 7 day authority", () => {
    assert.equal(guaranteedTtl(7 * 24 * HOUR), 28 * HOUR);
  });
});
