import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TempDir } from "../../test/support/temp-dir.ts";
import { isInMemory, readStateFile, writeStateFile } from "./state-file.ts";

const body = Buffer.from("a body with a key in it");

describe("a state file", () => {
  it("gives back what was written, and nobody else can read it", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("sub", "state");
    await writeStateFile(path, [Buffer.from("older")]);
    await writeStateFile(path, [body]);
    assert.deepEqual(await readStateFile(path), { kind: "intact", body });
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(dir.join("sub"))).mode & 0o022, 0);
  });

  it("asks for its pieces one by one, and leaves the older one if there is a fault in any", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("state");
    function* pieces(): Generator<Buffer> {
      let asked = 0;
      for (const piece of ["a body ", "", "with a key ", "in it"]) {
        const { size } = statSync(dir.join(".unfinished-state"));
        assert.equal(size, 52 + asked, "what was asked for before is written");
        asked += piece.length;
        yield Buffer.from(piece);
      }
    }
    await writeStateFile(path, pieces());
    assert.deepEqual(await readStateFile(path), { kind: "intact", body });
    function* faulty(): Generator<Buffer> {
      yield Buffer.from("another");
      throw new Error("cannot be encoded");
    }
    await assert.rejects(writeStateFile(path, faulty()), { message: "cannot be encoded" });
    assert.deepEqual(await readStateFile(path), { kind: "intact", body });
    assert.deepEqual(await readdir(dir.path), ["state"]);
  });

  it("is absent where there is none", async () => {
    await using dir = await TempDir.open();
    assert.deepEqual(await readStateFile(dir.join("state")), { kind: "absent" });
  });

  it("is damaged however it was cut or changed", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("state");
    await writeStateFile(path, [body]);
    const whole = await readFile(path);
    const harms = fc.oneof(
      fc.nat(whole.length - 1).map((length) => whole.subarray(0, length)),
      fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, flip]) => {
        const changed = Buffer.from(whole);
        changed.writeUInt8(changed.readUInt8(at) ^ flip, at);
        return changed;
      }),
      fc.uint8Array({ minLength: 1, maxLength: 20 }).map((tail) => Buffer.concat([whole, tail])),
    );
    await fc.assert(
      fc.asyncProperty(harms, async (harmed) => {
        await writeFile(path, harmed);
        assert.equal((await readStateFile(path)).kind, "damaged");
      }),
      { numRuns: 200 },
    );
  });

  it("is refused when others may use it, or when it is a link or a folder", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("state");
    await writeStateFile(path, [body]);
    await chmod(path, 0o604);
    await assert.rejects(readStateFile(path), {
      message: `state file ${path}: others may use it; its mode must be 0600`,
    });
    await chmod(path, 0o600);
    await symlink(path, dir.join("link"));
    await assert.rejects(readStateFile(dir.join("link")), {
      message: `state file ${dir.join("link")}: cannot be opened`,
    });
    await mkdir(dir.join("folder"));
    await assert.rejects(readStateFile(dir.join("folder")), {
      message: `state file ${dir.join("folder")}: is not a regular file`,
    });
  });

  it("is known to lie in memory or not", async () => {
    assert.equal(await isInMemory("/dev/shm/state"), true);
    await using dir = await TempDir.open();
    assert.equal(typeof (await isInMemory(dir.join("state"))), "boolean");
  });
});
