import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { measureCalls } from "./micro.ts";

suite("measureCalls", () => {
  test("tells time and bytes of a call, of one that waits too", async () => {
    for (const call of [() => new Array(100).fill(0), async () => new Array(100).fill(0)]) {
      const [time, allocated] = await measureCalls(call);
      assert.ok((time?.value ?? 0) > 0);
      assert.ok((allocated?.value ?? 0) >= 400);
    }
  });
});
