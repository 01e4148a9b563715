import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FIELDS } from "./fields.ts";
import { REDACTED_KEYS } from "./log.ts";

describe("FIELDS", () => {
  it("are in snake_case, each with a meaning", () => {
    for (const [name, meaning] of Object.entries(FIELDS)) {
      assert.match(name, /^[a-z]+(_[a-z]+)*$/);
      assert.notEqual(meaning, "");
    }
  });

  it("are none that the log redacts", () => {
    for (const name of Object.keys(FIELDS)) assert.equal(REDACTED_KEYS.includes(name), false, name);
  });
});
