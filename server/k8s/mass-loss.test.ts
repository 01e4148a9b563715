import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isMassLoss } from "./mass-loss.ts";

describe("isMassLoss", () => {
  for (const [lost, kept, expected] of [
    [0, 0, false],
    [5, 0, false],
    [6, 0, true],
    [6, 54, false],
    [6, 53, true],
    [100, 900, false],
    [101, 899, true],
  ] as const) {
    it(`is ${expected} for ${lost} lost and ${kept} kept`, () => {
      assert.equal(isMassLoss(lost, kept), expected);
    });
  }
});
