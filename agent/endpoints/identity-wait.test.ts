import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { identityWaitMs } from "./identity-wait.ts";

const old = { waitMs: 800, processAgeMs: 60_000, isBehind: false, isUndecided: false };

describe("identityWaitMs", () => {
  const cases = [
    { name: "refuses an old process of a current agent at once", input: old, want: 0 },
    { name: "holds a young process", input: { ...old, processAgeMs: 9_999 }, want: 800 },
    {
      name: "holds anyone while the agent is behind",
      input: { ...old, isBehind: true },
      want: 800,
    },
    { name: "holds while an attestor failed", input: { ...old, isUndecided: true }, want: 800 },
    {
      name: "never holds past 80 % of the deadline",
      input: { ...old, isBehind: true, deadlineMs: 500 },
      want: 400,
    },
    {
      name: "holds nobody past a deadline",
      input: { ...old, isBehind: true, deadlineMs: -5 },
      want: 0,
    },
    { name: "is switched off by 0", input: { ...old, isBehind: true, waitMs: 0 }, want: 0 },
  ];
  for (const { name, input, want } of cases) {
    it(name, () => assert.equal(identityWaitMs(input), want));
  }
});
