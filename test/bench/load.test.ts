import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { requires } from "../support/requires.ts";
import { loadFigures, runLoad } from "./load.ts";

if (requires("linux")) {
  suite("runLoad", () => {
    test("adds up what calls got done and counts those that failed", async () => {
      const result = await runLoad({
        pid: process.pid,
        concurrency: 3,
        seconds: 0.05,
        call: async (worker) => {
          await new Promise((resolve) => setImmediate(resolve));
          if (worker === 1) throw new Error("refused");
          return 50;
        },
      });
      assert.equal(result.done, result.latencies.count * 50);
      assert.ok(result.done > 0 && result.failed > 0);
      const failed = loadFigures(result).find(({ name }) => name === "failed");
      assert.equal(failed?.value, result.failed);
      assert.match(String(result.lastError), /refused/);
    });
  });
}
