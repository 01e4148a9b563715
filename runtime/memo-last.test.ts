import assert from "node:assert/strict";
import { it } from "node:test";
import { memoLast } from "./memo-last.ts";

it("makes once for each run of a value", () => {
  const asked: (string | undefined)[] = [];
  const lengthOf = memoLast((value: string | undefined) => {
    asked.push(value);
    return value?.length;
  });
  const values = [undefined, undefined, "ab", "ab", "c", "ab"];
  assert.deepEqual(values.map(lengthOf), [undefined, undefined, 2, 2, 1, 2]);
  assert.deepEqual(asked, [undefined, "ab", "c", "ab"]);
});
