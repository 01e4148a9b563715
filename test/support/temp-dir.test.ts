import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { suite, test } from "node:test";
import { TempDir } from "./temp-dir.ts";

suite("TempDir", () => {
  test("exists until it is disposed of, and goes with what is in it", async () => {
    let path: string;
    {
      await using dir = await TempDir.open();
      path = dir.path;
      await writeFile(dir.join("file"), "content");
      assert.equal(existsSync(path), true);
    }
    assert.equal(existsSync(path), false);
  });

  test("two have different paths", async () => {
    await using one = await TempDir.open();
    await using other = await TempDir.open();
    assert.notEqual(one.path, other.path);
  });
});
