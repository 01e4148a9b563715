import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { TempDir } from "../../test/support/temp-dir.ts";

const source = join(import.meta.dirname, "settle-down.ts");

/** Lets a process settle down, or end before it does, kills it, and returns how many files it left. */
async function leave(state: { readonly aborted: boolean }): Promise<number> {
  await using folder = await TempDir.open();
  const script = `
    const { settleDown } = await import(${JSON.stringify(source)});
    const ending = new AbortController();
    const sleeps = [() => ${state.aborted} && ending.abort(), () => ending.abort()];
    await settleDown({ sleep: async () => sleeps.shift()() }, ending.signal);
    process.stdout.write("done");
    process.stdin.resume();`;
  const env = { ...process.env, NODE_COMPILE_CACHE: folder.path };
  const args = ["--input-type=module", "--eval", script];
  const child = spawn(process.execPath, args, { env, stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "close");
  await Promise.race([once(child.stdout, "data"), ended]);
  child.kill("SIGKILL");
  assert.deepEqual(await ended, [null, "SIGKILL"]);
  return (await readdir(folder.path, { recursive: true })).length;
}

describe("settleDown", () => {
  it("leaves compiled code behind, even if the process is killed then", async () => {
    const settled = await leave({ aborted: false });
    // Node itself keeps what it makes of TypeScript at once.
    const unsettled = await leave({ aborted: true });
    assert.ok(settled > unsettled, `${settled} and ${unsettled} files`);
  });
});
