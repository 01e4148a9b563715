import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { MeasuredFile } from "./charts.ts";
import type { Target } from "./targets.ts";
import { verdict, verdictTable } from "./verdicts.ts";

suite("verdicts", () => {
  const rate: Target = { row: "r", figure: "rate", bound: "at least", limits: [100, 200] };
  const memory: Target = { row: "r", figure: "resident", bound: "at most", limits: [100] };

  test("name the first limit that is missed, and by how much", () => {
    assert.equal(verdict(rate, 200), "met");
    assert.equal(verdict(rate, 150), "first met, next missed by 25 %");
    assert.equal(verdict(rate, 90), "**missed by 10 %**");
    assert.equal(verdict(memory, 100), "met");
    assert.equal(verdict(memory, 150), "**missed by 50 %**");
    assert.equal(verdict(memory, undefined), "not measured");
    assert.equal(verdict({ ...memory, limits: [] }, 5), "");
  });

  test("the table holds memory in powers of ten, of the last file that has it", () => {
    const file = (median: number): MeasuredFile => ({
      machine: { usableCores: 2 },
      figures: [{ row: "r", name: "resident", unit: "MiB", median }],
    });
    const lines = [{ title: "server", spire: "392 MB", targets: [memory, rate] }];
    assert.equal(
      verdictTable(lines, [file(50), file(100)])
        .split("\n")
        .at(-1),
      "| server | 392 MB | 100 MB / 100, then 200 | 105 MB / ? | **missed by 5 %** / not measured |",
    );
  });
});
