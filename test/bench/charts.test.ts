import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { pointsOf } from "./charts.ts";

suite("points of a chart", () => {
  const file = (usableCores: number, row: string, median: number) => ({
    machine: { usableCores },
    figures: [
      { row, name: "rate", unit: "a second" as const, median },
      { row, name: "another", unit: "ms" as const, median: 0 },
    ],
  });

  test("stand where their row says, in order", () => {
    const files = [file(2, "agents, 100", 7), file(2, "agents, 10", 5)];
    assert.deepEqual(pointsOf(files, { name: "", row: /^agents, (\d+)$/, figure: "rate" }), [
      { x: 10, y: 5 },
      { x: 100, y: 7 },
    ]);
  });

  test("stand at the number of cores where their row says nothing; the last file counts", () => {
    const files = [file(1, "issue", 1), file(2, "issue", 2), file(2, "issue", 3)];
    assert.deepEqual(pointsOf(files, { name: "", row: /^issue/, figure: "rate" }), [
      { x: 1, y: 1 },
      { x: 2, y: 3 },
    ]);
  });
});
