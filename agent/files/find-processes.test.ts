import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, copyFile, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { requires } from "../../test/support/requires.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { processesNamed, processInFile } from "./find-processes.ts";

describe("processInFile", () => {
  it("reads the first line, as PostgreSQL and others write it", async () => {
    await using dir = await TempDir.open();
    await writeFile(dir.join("pid"), `${process.pid}\n/var/lib/x\n1234\n`);
    assert.equal(await processInFile(dir.join("pid")), process.pid);
  });

  it("says that nobody is there", async () => {
    await using dir = await TempDir.open();
    await assert.rejects(processInFile(dir.join("pid")), { name: "NoProcess" });
    if (process.platform !== "linux") return;
    await writeFile(dir.join("pid"), "4194304\n");
    await assert.rejects(processInFile(dir.join("pid")), { name: "NoProcess" });
  });

  for (const text of ["", "abc", "0", "1", "-5", "12 34", "9".repeat(5000)]) {
    it(`refuses ${JSON.stringify(text.slice(0, 10))}`, async () => {
      await using dir = await TempDir.open();
      await writeFile(dir.join("pid"), text);
      await assert.rejects(processInFile(dir.join("pid")), { name: "Error" });
    });
  }

  if (requires("root", "linux")) {
    it("does not let one user name a process of another", async () => {
      await using dir = await TempDir.open();
      await writeFile(dir.join("pid"), `${process.pid}`);
      await chown(dir.join("pid"), 65534, 65534);
      await assert.rejects(processInFile(dir.join("pid")), {
        message: /belongs to uid 65534, who may not name a process of uid 0/,
      });
    });
  }
});

if (requires("linux")) {
  describe("processesNamed", () => {
    it("finds the main process and not those that it started", async () => {
      await using dir = await TempDir.open();
      const name = `assay-${process.pid}`;
      await copyFile("/bin/sh", dir.join(name));
      const { chmod } = await import("node:fs/promises");
      await chmod(dir.join(name), 0o755);
      // The inner shell has the same name, and the outer one as its parent.
      const child = spawn(dir.join(name), ["-c", `${dir.join(name)} -c 'echo up; read x'; true`], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      try {
        await once(child.stdout, "data");
        assert.deepEqual(await processesNamed(name), [child.pid]);
      } finally {
        child.stdin.end();
        await once(child, "exit");
      }
      await assert.rejects(processesNamed(name), { name: "NoProcess" });
    });
  });
}
