import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { userWorkload } from "./user-entry.ts";

suite("userWorkload", () => {
  test("is every process of the user, under the user's name", () => {
    assert.deepEqual(userWorkload({ username: "ada", uid: 1001 }), {
      path: "/user/ada",
      selectors: ["unix:uid:1001"],
    });
  });

  for (const [username, path] of [
    ["EXAMPLE\\ada lovelace", "/user/EXAMPLE-ada-lovelace"],
    ["..", "/user/unnamed"],
    ["", "/user/unnamed"],
    ["ada.l_1", "/user/ada.l_1"],
  ] as const) {
    test(`the name ${JSON.stringify(username)} becomes a valid path`, () => {
      assert.equal(userWorkload({ username, uid: 1 }).path, path);
    });
  }
});
