import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ExecutableDigests, executablePath } from "./executable.ts";

const signal = new AbortController().signal;

describe("executables", () => {
  let dir: string;
  let program: string;
  let child: ChildProcess;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "assay-exe-"));
    program = join(dir, "sleeper");
    await copyFile("/bin/sleep", program);
    child = spawn(program, ["60"], { stdio: "ignore" });
    await new Promise((resolve) => child.once("spawn", resolve));
    while ((await readlink(`/proc/${child.pid}/exe`)) !== program);
  });
  after(async () => {
    child.kill("SIGKILL");
    await rm(dir, { recursive: true });
  });

  it("hashes the file that runs", async () => {
    const digests = new ExecutableDigests(10_000_000);
    const want = createHash("sha256")
      .update(await readFile(program))
      .digest("hex");
    assert.equal(await digests.of(`/proc/${child.pid}`, signal), want);
    assert.equal(await digests.of(`/proc/${child.pid}`, signal), want);
  });

  it("refuses to hash a file over the limit", async () => {
    await assert.rejects(
      new ExecutableDigests(10).of(`/proc/${child.pid}`, signal),
      /over the limit of 10/,
    );
  });

  it("tells the path of a program on the host", async () => {
    assert.deepEqual(await executablePath(`/proc/${child.pid}`, "/"), { path: program });
  });

  it("does not tell a path when the caller's root is another", async () => {
    const found = await executablePath(`/proc/${child.pid}`, "/tmp");
    assert.deepEqual(found, { unknown: "the caller's root is not the host's" });
  });

  it("does not tell a path that now names another file", async () => {
    await rm(program);
    await copyFile("/bin/true", program);
    const found = await executablePath(`/proc/${child.pid}`, "/");
    assert.ok("unknown" in found && /replaced or removed/.test(found.unknown));
  });
});
