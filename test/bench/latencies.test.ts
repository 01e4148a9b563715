import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { formatMs, Latencies } from "./latencies.ts";

suite("Latencies", () => {
  test("quantiles of a hundred values, in whatever order they came", () => {
    const latencies = new Latencies();
    for (let i = 99; i >= 0; i--) latencies.add(i);
    assert.equal(latencies.quantile(0.5), 50);
    assert.equal(latencies.quantile(0.99), 99);
    assert.equal(latencies.quantile(0), 0);
  });

  test("nothing measured is not zero", () => {
    assert.equal(new Latencies().quantile(0.5), Number.NaN);
  });

  test("what throws is not counted", async () => {
    const latencies = new Latencies();
    await assert.rejects(latencies.time(async () => Promise.reject(new Error("no"))));
    assert.equal(await latencies.time(async () => 7), 7);
    assert.equal(latencies.count, 1);
  });

  test("milliseconds and seconds keep three digits", () => {
    assert.deepEqual([0.7912, 12.345, 4567].map(formatMs), ["0.791 ms", "12.3 ms", "4.57 s"]);
  });
});
