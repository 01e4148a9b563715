import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { requires } from "../support/requires.ts";
import { measureUsage, memoryOf } from "./process-usage.ts";

if (requires("linux")) {
  suite("process usage", () => {
    test("counts the CPU time that passes while a process works", async () => {
      const { seconds, cpuSeconds } = await measureUsage(process.pid, async () => {
        const end = performance.now() + 100;
        while (performance.now() < end);
      });
      assert.ok(seconds >= 0.1);
      assert.ok(cpuSeconds >= 0.03, `${cpuSeconds}`);
    });

    test("tells the memory of a process in mebibytes", async () => {
      const { resident, anonymous, peak } = await memoryOf(process.pid);
      const mebibytes = process.memoryUsage().rss / 2 ** 20;
      assert.ok(Math.abs(resident - mebibytes) < 20, `${resident} against ${mebibytes}`);
      assert.ok(anonymous > 0 && anonymous <= resident);
      assert.ok(peak >= resident);
    });
  });
}
