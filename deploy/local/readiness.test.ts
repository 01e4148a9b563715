import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { systemClock } from "../../runtime/time/clock.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { Child } from "./child.ts";
import { untilReady } from "./readiness.ts";

const signal = new AbortController().signal;

async function startScript(dir: TempDir, script: string): Promise<Child> {
  const args = ["--eval", script];
  return Child.start({ name: "server", file: process.execPath, args, logPath: dir.join("log") });
}

suite("untilReady", () => {
  test("returns the first answer", async () => {
    await using dir = await TempDir.open();
    const child = await startScript(dir, "setInterval(() => {}, 1000)");
    let asked = 0;
    const probe = async (): Promise<number> => {
      if (++asked < 3) throw new Error("not yet");
      return asked;
    };
    assert.equal(await untilReady(child, probe, { clock: systemClock, signal }), 3);
    await child.stop(systemClock);
  });

  test("shows the last words of a process that ended", async () => {
    await using dir = await TempDir.open();
    const child = await startScript(dir, `console.log("address in use"); process.exit(1)`);
    const probe = async (): Promise<never> => Promise.reject(new Error("refused"));
    await assert.rejects(
      untilReady(child, probe, { clock: systemClock, signal }),
      (error: Error) => {
        assert.match(error.message, /^the server ended; the end of .*log:\n {2}address in use$/);
        return true;
      },
    );
  });

  test("gives up on a process that does not become ready", async () => {
    await using dir = await TempDir.open();
    const child = await startScript(dir, "setInterval(() => {}, 1000)");
    const probe = async (): Promise<never> => Promise.reject(new Error("refused"));
    const waiting = { clock: systemClock, signal, timeoutMs: 20 };
    await assert.rejects(
      untilReady(child, probe, waiting),
      /^Error: the server was not ready within/,
    );
    await child.stop(systemClock);
  });
});
