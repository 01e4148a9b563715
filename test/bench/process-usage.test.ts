import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { requires } from "../support/requires.ts";
import { measureUsage, memoryOf } from "./process-usage.ts";

if (requires("linux")) {
  suite("process usage", () => {
    test("counts the CPU time that passes while a process works", async () => {
      const { seconds, cpuSeconds } = await measureUsage(process.pid, async () => {
        // On a busy machine time passes faster than processor time.
        const before = process.cpuUsage();
        const used = (): number => {
          const { user, system } = process.cpuUsage(before);
          return (user + system) / 1e6;
        };
        while (used() < 0.1);
      });
      assert.ok(cpuSeconds >= 0.05 && seconds >= 0.05, `${cpuSeconds} in ${seconds}`);
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
