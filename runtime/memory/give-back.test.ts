import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { requires } from "../../test/support/requires.ts";

const source = join(import.meta.dirname, "give-back.ts");

/** In a process of its own, since the process of these tests has a heap of any size. */
const script = `
  const { readFileSync } = await import("node:fs");
  const { giveBack } = await import(${JSON.stringify(source)});
  const kilobytes = (key) =>
    Number(new RegExp("^" + key + ":\\\\s+(\\\\d+)", "m").exec(readFileSync("/proc/self/status", "latin1"))[1]);
  const garbage = new WeakRef(new ArrayBuffer(8 * 1024 * 1024));
  await new Promise(setImmediate);
  const before = kilobytes("RssFile");
  giveBack();
  const after = kilobytes("RssFile");
  giveBack();
  // All that was given back is there again where it is needed.
  const { createHash } = await import("node:crypto");
  const digest = createHash("sha256").update("still here").digest("hex");
  process.stdout.write(JSON.stringify({ before, after, isCollected: garbage.deref() === undefined, digest }));`;

if (requires("linux")) {
  describe("giveBack", () => {
    it("collects garbage and lets go of the pages of the program, which runs on", () => {
      const args = ["--input-type=module", "--eval", script];
      const { status, stdout } = spawnSync(process.execPath, args, {
        stdio: ["ignore", "pipe", "inherit"],
      });
      assert.equal(status, 0);
      const { before, after, isCollected, digest } = JSON.parse(stdout.toString());
      assert.ok(after < before, `${before} kB before, ${after} after`);
      assert.equal(isCollected, true);
      assert.equal(digest, "0f6203d23a9978df793873fe25ffe6147e957c1c259a2a3de123197fe53071d0");
    });
  });
}
