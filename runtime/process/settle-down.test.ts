import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { TempDir } from "../../test/support/temp-dir.ts";

const source = join(import.meta.dirname, "settle-down.ts");

/** Lets a process of its own settle down, which then is killed, and returns the names of what it left compiled. */
async function leave(state: { readonly aborted: boolean }): Promise<readonly string[]> {
  await using folder = await TempDir.open();
  const script = `
    const { settleDown } = await import(${JSON.stringify(source)});
    const over = new AbortController();
    if (${state.aborted}) over.abort();
    await settleDown({ sleep: async () => {} }, over.signal);
    process.kill(process.pid, "SIGKILL");`;
  const env = { ...process.env, NODE_COMPILE_CACHE: folder.path };
  const args = ["--input-type=module", "--eval", script];
  const child = spawnSync(process.execPath, args, { env });
  assert.equal(child.signal, "SIGKILL", String(child.stderr));
  const [version = ""] = await readdir(folder.path);
  return readdir(join(folder.path, version));
}

describe("settleDown", () => {
  it("leaves compiled code behind, even if the process is killed then", async () => {
    const settled = await leave({ aborted: false });
    // Node itself keeps what it makes of TypeScript at once.
    const unsettled = await leave({ aborted: true });
    assert.ok(settled.length > unsettled.length, `${settled.length} and ${unsettled.length} files`);
  });
});
