import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sourceDate } from "./source-date.ts";

describe("sourceDate", () => {
  it("is what SOURCE_DATE_EPOCH says", async () => {
    const date = await sourceDate("/", { SOURCE_DATE_EPOCH: "1767323045" });
    assert.equal(date.toISOString(), "2026-01-02T03:04:05.000Z");
  });

  it("refuses anything but seconds", async () => {
    await assert.rejects(sourceDate("/", { SOURCE_DATE_EPOCH: "soon" }), {
      message: 'SOURCE_DATE_EPOCH: expected seconds since 1970, got "soon"',
    });
  });

  it("is 1970 outside a repository", async () => {
    assert.equal((await sourceDate("/", {})).getTime(), 0);
  });
});
