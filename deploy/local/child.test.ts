import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { systemClock } from "../../runtime/time/clock.ts";
import { eventually } from "../../test/support/eventually.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { Child } from "./child.ts";

async function startScript(dir: TempDir, script: string): Promise<Child> {
  const args = ["--eval", script];
  return Child.start({ name: "script", file: process.execPath, args, logPath: dir.join("log") });
}

suite("Child", () => {
  test("keeps what the process printed last", async () => {
    await using dir = await TempDir.open();
    const script = `console.log("one"); console.error("two"); console.log("three")`;
    const child = await startScript(dir, script);
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    assert.deepEqual(await child.lastLines(2), ["two", "three"]);
  });

  test("stops with the request to end", async () => {
    await using dir = await TempDir.open();
    const script = `process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000); console.log("up")`;
    const child = await startScript(dir, script);
    await eventually("the first line", async () => (await child.lastLines(1))[0] || undefined);
    assert.equal(child.running, true);
    assert.deepEqual(await child.stop(systemClock), { code: 7, signal: null });
    assert.equal(child.running, false);
  });

  test("is killed when it does not end in time", async () => {
    await using dir = await TempDir.open();
    const script = `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up")`;
    const child = await startScript(dir, script);
    await eventually("the first line", async () => (await child.lastLines(1))[0] || undefined);
    assert.deepEqual(await child.stop(systemClock, 50), { code: null, signal: "SIGKILL" });
  });

  test("a file that cannot be run is an error", async () => {
    await using dir = await TempDir.open();
    const options = { name: "none", file: dir.join("none"), args: [], logPath: dir.join("log") };
    await assert.rejects(Child.start(options), { code: "ENOENT" });
  });
});
