import assert from "node:assert/strict";
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { describe, it } from "node:test";
import { systemRandom as random } from "../../runtime/random.ts";
import { requires } from "../../test/support/requires.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { type FileContent, type FileLayout, FileSet } from "./file-set.ts";
import type { FileSpec } from "./file-spec.ts";

const certificate: FileSpec = { type: "pem", name: "svid.pem", holds: ["chain"], mode: 0o644 };
const key: FileSpec = { type: "pem", name: "svid.key", holds: ["key"], mode: 0o600 };

function contents(text: string, ...files: readonly FileSpec[]): readonly FileContent[] {
  return files.map((file) => ({ file, content: Buffer.from(`${text} ${file.name}`) }));
}

function setIn(path: string, layout: FileLayout): FileSet {
  return new FileSet({ path, layout, random });
}

for (const layout of ["swap", "plain"] as const) {
  describe(`FileSet with layout ${layout}`, () => {
    it("writes, and leaves alone what is as it has to be", async () => {
      await using dir = await TempDir.open();
      const set = setIn(dir.path, layout);
      assert.deepEqual(await set.write(contents("one", certificate, key)), [
        "svid.pem",
        "svid.key",
      ]);
      assert.deepEqual(await set.write(contents("one", certificate, key)), []);
      const [, changedKey] = contents("two", certificate, key);
      const [sameCertificate] = contents("one", certificate, key);
      assert.ok(changedKey && sameCertificate);
      assert.deepEqual(await set.write([sameCertificate, changedKey]), ["svid.key"]);
      assert.equal(await readFile(dir.join("svid.key"), "utf8"), "two svid.key");
      assert.equal(await readFile(dir.join("svid.pem"), "utf8"), "one svid.pem");
      assert.equal((await stat(dir.join("svid.key"))).mode & 0o777, 0o600);
      assert.equal((await stat(dir.join("svid.pem"))).mode & 0o777, 0o644);
    });

    it("mends a mode that somebody changed", async () => {
      await using dir = await TempDir.open();
      const set = setIn(dir.path, layout);
      await set.write(contents("one", key));
      await chmod(dir.join("svid.key"), 0o666);
      assert.deepEqual(await set.write(contents("one", key)), ["svid.key"]);
      assert.equal((await stat(dir.join("svid.key"))).mode & 0o777, 0o600);
    });

    it("takes away what is to go, and everything when asked to", async () => {
      await using dir = await TempDir.open();
      const set = setIn(dir.path, layout);
      await set.write(contents("one", certificate, key));
      const [kept] = contents("one", certificate);
      assert.ok(kept);
      assert.deepEqual(await set.write([kept, { file: key, content: undefined }]), ["svid.key"]);
      await assert.rejects(stat(dir.join("svid.key")), { code: "ENOENT" });
      assert.deepEqual(await set.remove([certificate, key]), ["svid.pem"]);
      assert.deepEqual(await readdir(dir.path), []);
    });

    it("replaces links instead of following them", async () => {
      await using dir = await TempDir.open();
      await using elsewhere = await TempDir.open();
      await writeFile(elsewhere.join("victim"), "untouched");
      await symlink(elsewhere.join("victim"), dir.join("svid.key"));
      await symlink(elsewhere.join("victim"), dir.join(".unfinished-svid.key"));
      await symlink(elsewhere.path, dir.join("..data"));
      await setIn(dir.path, layout).write(contents("new", key));
      assert.equal(await readFile(elsewhere.join("victim"), "utf8"), "untouched");
      assert.deepEqual(await readdir(elsewhere.path), ["victim"]);
      assert.equal(await readFile(dir.join("svid.key"), "utf8"), "new svid.key");
    });

    it("leaves the old files when the new cannot be written", async () => {
      await using dir = await TempDir.open();
      const set = setIn(dir.path, layout);
      await set.write(contents("one", certificate, key));
      const impossible: FileSpec = { ...key, name: "x".repeat(300) };
      await assert.rejects(set.write(contents("two", certificate, key, impossible)), {
        code: "ENAMETOOLONG",
      });
      assert.equal(await readFile(dir.join("svid.pem"), "utf8"), "one svid.pem");
      assert.equal(await readFile(dir.join("svid.key"), "utf8"), "one svid.key");
      const hidden = (await readdir(dir.path)).filter((name) => name.startsWith(".unfinished"));
      assert.deepEqual(hidden, []);
    });

    it("makes the folder, but not the one above it", async () => {
      await using dir = await TempDir.open();
      await setIn(dir.join("new"), layout).write(contents("one", key));
      assert.equal(await readFile(dir.join("new", "svid.key"), "utf8"), "one svid.key");
      await assert.rejects(setIn(dir.join("a", "b"), layout).write(contents("one", key)), {
        code: "ENOENT",
      });
    });

    if (requires("root")) {
      it("gives files to their owner before anything is in them", async () => {
        await using dir = await TempDir.open();
        const owned = { ...key, uid: 65534, gid: 65533 };
        await setIn(dir.path, layout).write(contents("one", owned));
        const { uid, gid, mode } = await stat(dir.join("svid.key"));
        assert.deepEqual({ uid, gid, mode: mode & 0o777 }, { uid: 65534, gid: 65533, mode: 0o600 });
      });

      it("refuses a folder of somebody else, and a link of somebody else to a good one", async () => {
        await using dir = await TempDir.open();
        await mkdir(dir.join("theirs"));
        await chown(dir.join("theirs"), 65534, 65534);
        const message = /belongs to another user \(uid 65534\)/;
        await assert.rejects(setIn(dir.join("theirs"), layout).write(contents("one", key)), {
          name: "FolderError",
          message,
        });
        await symlink(dir.path, dir.join("theirs", "link"));
        const { lchown } = await import("node:fs/promises");
        await lchown(dir.join("theirs", "link"), 65534, 65534);
        await assert.rejects(
          setIn(dir.join("theirs", "link"), layout).write(contents("one", key)),
          {
            name: "FolderError",
            message,
          },
        );
        const path = dir.join("theirs");
        const set = new FileSet({ path, layout, random, uid: 65534 });
        assert.deepEqual(await set.write(contents("one", key)), ["svid.key"]);
      });
    }
  });
}

describe("FileSet with layout swap", () => {
  it("changes all files by one link, and keeps the generation before for those who read it", async () => {
    await using dir = await TempDir.open();
    const set = setIn(dir.path, "swap");
    const generations: string[] = [];
    for (const text of ["one", "two", "three"]) {
      await set.write(contents(text, certificate, key));
      generations.push(await readlink(dir.join("..data")));
    }
    const [first = "", second = "", third = ""] = generations;
    const expected = [second, third, "..data", "svid.key", "svid.pem"];
    assert.deepEqual((await readdir(dir.path)).sort(), expected.sort());
    assert.notEqual(first, second);
    assert.equal(await readlink(dir.join("svid.pem")), "..data/svid.pem");
    assert.equal(await readFile(dir.join(second, "svid.key"), "utf8"), "two svid.key");
    assert.equal(await readFile(dir.join("svid.key"), "utf8"), "three svid.key");
  });

  it("removes nothing outside when somebody puts a link where a generation was", async () => {
    await using dir = await TempDir.open();
    await using elsewhere = await TempDir.open();
    await writeFile(elsewhere.join("victim"), "untouched");
    await symlink(elsewhere.path, dir.join("..0123456789abcdef"));
    await mkdir(dir.join("..fedcba9876543210", "inner"), { recursive: true });
    await symlink(elsewhere.join("victim"), dir.join("..fedcba9876543210", "victim"));
    await setIn(dir.path, "swap").write(contents("one", key));
    assert.deepEqual(await readdir(elsewhere.path), ["victim"]);
    await assert.rejects(lstat(dir.join("..0123456789abcdef")), { code: "ENOENT" });
    assert.deepEqual(await readdir(dir.join("..fedcba9876543210")), ["inner"]);
  });

  it("removes what a kill in the middle has left", async () => {
    await using dir = await TempDir.open();
    await mkdir(dir.join("..0123456789abcdef"));
    await writeFile(dir.join("..0123456789abcdef", "svid.key"), "half");
    await setIn(dir.path, "swap").write(contents("one", key));
    await assert.rejects(lstat(dir.join("..0123456789abcdef")), { code: "ENOENT" });
  });
});
