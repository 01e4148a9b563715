import assert from "node:assert/strict";
import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { TempDir } from "../../test/support/temp-dir.ts";
import { replaceFile } from "./replace-file.ts";

describe("replaceFile", () => {
  it("creates and replaces with the mode asked for, and leaves nothing else behind", async () => {
    await using dir = await TempDir.open();
    await replaceFile(dir.join("a"), "one", { mode: 0o600 });
    await replaceFile(dir.join("a"), "two", { mode: 0o640 });
    assert.equal(await readFile(dir.join("a"), "utf8"), "two");
    assert.equal((await stat(dir.join("a"))).mode & 0o777, 0o640);
    assert.deepEqual(await readdir(dir.path), ["a"]);
  });

  it("takes a content that is written piece by piece, or none of it", async () => {
    await using dir = await TempDir.open();
    await replaceFile(dir.join("a"), (file) => file.writeFile(["on", "e"]), { mode: 0o600 });
    assert.equal(await readFile(dir.join("a"), "utf8"), "one");
    const cutOff = replaceFile(
      dir.join("a"),
      async (file) => {
        await file.writeFile("tw");
        throw new Error("no more");
      },
      { mode: 0o600 },
    );
    await assert.rejects(cutOff, { message: "no more" });
    assert.equal(await readFile(dir.join("a"), "utf8"), "one");
    assert.deepEqual(await readdir(dir.path), ["a"]);
  });

  it("leaves the old content when the new cannot be put in its place", async () => {
    await using dir = await TempDir.open();
    await mkdir(dir.join("a"));
    await assert.rejects(replaceFile(dir.join("a"), "new", { mode: 0o600 }), { code: "EISDIR" });
    assert.deepEqual(await readdir(dir.path), ["a"]);
  });

  it("does not write through a link left where it works", async () => {
    await using dir = await TempDir.open();
    await writeFile(dir.join("victim"), "untouched");
    await symlink(dir.join("victim"), dir.join(".unfinished-a"));
    await replaceFile(dir.join("a"), "new", { mode: 0o600 });
    assert.equal(await readFile(dir.join("victim"), "utf8"), "untouched");
    assert.equal(await readFile(dir.join("a"), "utf8"), "new");
  });
});
