import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nearestWord } from "./nearest.ts";

const known = ["trustDomain", "dataDir", "listen", "log", "ca"];

describe("nearestWord", () => {
  for (const [word, expected] of [
    ["trustdomain", "trustDomain"],
    ["trust_domain", "trustDomain"],
    ["datadir", "dataDir"],
    ["lisen", "listen"],
    ["lgo", undefined],
    ["logs", "log"],
    ["CA", "ca"],
    ["x", undefined],
    ["something", undefined],
    ["", undefined],
  ] as const) {
    it(`takes ${JSON.stringify(word)} for ${expected ?? "nothing known"}`, () => {
      assert.equal(nearestWord(word, known), expected);
    });
  }

  it("knows nothing among nothing", () => {
    assert.equal(nearestWord("a", []), undefined);
  });
});
