import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatOne, formatRows } from "./output.ts";

const rows = [
  { id: "a", ttl: 3600n, selectors: ["unix:uid:0", "unix:gid:0"], hint: "" },
  { id: "bcd", ttl: 60n, selectors: [], hint: "x\u001b[31m" },
];

describe("formatRows", () => {
  it("prints a table of the chosen columns", () => {
    assert.equal(
      formatRows(rows, ["id", "selectors", "hint"], "table"),
      "ID   SELECTORS               HINT\na    unix:uid:0, unix:gid:0  -\nbcd  -                       x\\u001b[31m\n",
    );
  });

  it("prints JSON with every field", () => {
    assert.deepEqual(JSON.parse(formatRows(rows, ["id"], "json")), [
      { id: "a", ttl: 3600, selectors: ["unix:uid:0", "unix:gid:0"], hint: "" },
      { id: "bcd", ttl: 60, selectors: [], hint: "x\u001b[31m" },
    ]);
  });

  it("keeps integers that a JSON number would lose", () => {
    assert.match(formatRows([{ n: 2n ** 64n - 1n }], ["n"], "json"), /"18446744073709551615"/);
  });

  it("prints YAML", () => {
    assert.equal(formatRows([{ id: "a" }], ["id"], "yaml"), "- id: a\n");
  });
});

describe("formatOne", () => {
  it("prints the fields that are set", () => {
    const at = new Date("2026-01-02T03:04:05Z");
    assert.equal(
      formatOne({ id: "a", hint: "", expires_at: at }, "table"),
      "id:         a\nexpires_at: 2026-01-02T03:04:05.000Z\n",
    );
  });
});
