import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { inSizedCalls, isTooLarge } from "./sized-calls.ts";

const MIB = 1024 * 1024;
const tooLarge = new StatusError(Status.RESOURCE_EXHAUSTED, "message larger than max");
const limited = new StatusError(Status.RESOURCE_EXHAUSTED, "slow down", { reason: "rate_limited" });

/** Sends items, each so many bytes, to somebody who takes calls of at most so many items. */
async function send(sizes: readonly number[], maxItems: number, err: StatusError = tooLarge) {
  const calls: (readonly number[])[] = [];
  const answers = await inSizedCalls(sizes, {
    sizeOf: (size) => size,
    call: async (items) => {
      calls.push(items);
      if (items.length > maxItems) throw err;
      return items.map((size) => `ok ${size}`);
    },
    refuse: (size) => `refused ${size}`,
  });
  return { calls: calls.map((items) => items.length), answers };
}

describe("inSizedCalls", () => {
  it("makes one call of what fits, and none of nothing", async () => {
    assert.deepEqual(await send([1, 2, 3], 10), {
      calls: [3],
      answers: ["ok 1", "ok 2", "ok 3"],
    });
    assert.deepEqual(await send([], 10), { calls: [], answers: [] });
  });

  it("begins another call where the next item would be too much", async () => {
    const { calls, answers } = await send([2 * MIB, MIB, 1, 5 * MIB, 2], 10);
    assert.deepEqual(calls, [2, 1, 1, 1]);
    assert.equal(answers.length, 5);
  });

  it("makes a call in halves that is too large after all, and refuses what stays so", async () => {
    const { calls, answers } = await send([1, 2, 3, 4, 5], 2);
    assert.deepEqual(calls, [5, 3, 2, 1, 2]);
    assert.deepEqual(
      answers,
      [1, 2, 3, 4, 5].map((size) => `ok ${size}`),
    );
    assert.deepEqual((await send([7], 0)).answers, ["refused 7"]);
  });

  it("does not take a caller's limit for a message's", async () => {
    assert.equal(isTooLarge(limited), false);
    await assert.rejects(send([1, 2], 1, limited), limited);
  });
});
