import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Figures, formatFigure } from "./figures.ts";

suite("Figures", () => {
  test("the median of several runs, with the range beside it", () => {
    const figures = new Figures();
    for (const value of [30, 10, 20]) {
      figures.add("entries, 100", [{ name: "rate", unit: "a second", value }]);
    }
    const [series] = figures.series;
    assert.deepEqual([series?.median, series?.values], [20, [30, 10, 20]]);
    assert.match(
      figures.toTable(),
      /\| entries, 100 \| rate \| 20 a second \| 10 a second to 30 a second \|$/,
    );
  });

  test("rows stay apart, in the order in which they came", () => {
    const figures = new Figures();
    figures.add("b", [{ name: "p50", unit: "ms", value: 1 }]);
    figures.add("a", [{ name: "p50", unit: "ms", value: 2 }]);
    assert.deepEqual(
      figures.series.map(({ row, median }) => [row, median]),
      [
        ["b", 1],
        ["a", 2],
      ],
    );
  });

  test("values are written to be read", () => {
    assert.equal(formatFigure({ name: "", unit: "a second", value: 7518.4 }), "7,518 a second");
    assert.equal(formatFigure({ name: "", unit: "cores", value: 0.0046 }), "0.005 cores");
    assert.equal(formatFigure({ name: "", unit: "ms", value: 12.345 }), "12.3 ms");
  });
});
