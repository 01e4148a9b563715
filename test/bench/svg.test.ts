import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { drawChart, ticks } from "./svg.ts";

suite("charts", () => {
  test("ticks are round and reach beyond the highest value", () => {
    assert.deepEqual(ticks(87), [0, 50, 100]);
    assert.deepEqual(ticks(410), [0, 200, 400, 600]);
    assert.deepEqual(ticks(0), [0, 1]);
  });

  test("powers of ten stand at equal distances", () => {
    const points = [10, 100, 1_000].map((x) => ({ x, y: 1 }));
    const svg = drawChart({
      title: "memory",
      xLabel: "agents",
      yLabel: "MiB",
      logarithmicX: true,
      curves: [{ name: "server", points }],
    });
    assert.match(svg, /points="70,40 345,40 620,40"/);
  });

  test("what could be markup is text", () => {
    const svg = drawChart({ title: "a < b & c", xLabel: "", yLabel: "", curves: [] });
    assert.match(svg, />a &lt; b &amp; c</);
    assert.doesNotMatch(svg, /NaN|Infinity/);
  });
});
