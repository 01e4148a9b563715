import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accountId } from "./accounts.ts";

describe("accountId", () => {
  it("knows names and takes numbers as they are", async () => {
    assert.equal(await accountId("passwd", "root"), 0);
    assert.equal(await accountId("passwd", "12345"), 12345);
  });

  it("says which name it does not know", async () => {
    await assert.rejects(accountId("passwd", "nobody-of-that-name"), {
      message: "there is no user nobody-of-that-name",
    });
    await assert.rejects(accountId("group", "--help"), { message: "there is no group --help" });
  });
});
