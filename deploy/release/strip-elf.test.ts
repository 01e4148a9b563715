import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { requires } from "../../test/support/requires.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { stripElf } from "./strip-elf.ts";

describe("stripElf", () => {
  if (requires("linux")) {
    it("leaves a Node that is smaller and runs", async () => {
      await using dir = await TempDir.open();
      const node = await readFile(process.execPath);
      const stripped = stripElf(node);
      assert.ok(stripped.length < node.length * 0.9);
      await writeFile(dir.join("node"), stripped, { mode: 0o755 });
      const script = "console.log(process.version, crypto.randomUUID().length)";
      const { stdout } = spawnSync(dir.join("node"), ["-e", script], { encoding: "utf8" });
      assert.equal(stdout, `${process.version} 36\n`);
    });
  }

  it("refuses anything else", () => {
    assert.throws(() => stripElf(Buffer.from("#!/bin/sh\n")), /not a little-endian 64-bit ELF/);
  });
});
