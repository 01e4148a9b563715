import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { requires } from "../../test/support/requires.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { kernelLauncher, shellLauncher } from "./launchers.ts";

const script = `console.log(JSON.stringify([process.execArgv, process.argv.slice(1)]));`;

/** A release whose command tells how it was started. */
async function makeRelease(launcher: (home: string) => string): Promise<TempDir> {
  const dir = await TempDir.open();
  for (const folder of ["bin", "lib"]) await mkdir(dir.join(folder));
  await symlink(process.execPath, dir.join("bin", "node"));
  await writeFile(dir.join("lib", "assay.mjs"), script);
  await writeFile(dir.join("bin", "assay"), launcher(dir.path), { mode: 0o755 });
  await symlink(dir.join("bin", "assay"), dir.join("linked"));
  return dir;
}

if (requires("linux")) {
  for (const [name, launcher] of Object.entries({ shellLauncher, kernelLauncher })) {
    describe(name, () => {
      it("runs the command with its arguments, and through a link", async () => {
        await using dir = await makeRelease(launcher);
        const { stdout } = spawnSync(dir.join("linked"), ["entry", "two words"]);
        const expected = [[], [dir.join("lib", "assay.mjs"), "entry", "two words"]];
        assert.deepEqual(JSON.parse(stdout.toString()), expected);
      });

      it("runs an agent with the options that save memory", async () => {
        await using dir = await makeRelease(launcher);
        const { stdout } = spawnSync(dir.join("linked"), ["agent", "run", "--config", "a b"]);
        assert.deepEqual(JSON.parse(stdout.toString()), [
          ["--max-semi-space-size=1"],
          [dir.join("lib", "assay.mjs"), "agent", "run", "--config", "a b"],
        ]);
      });

      it("runs an agent with them when the environment has them already", async () => {
        await using dir = await makeRelease(launcher);
        const env = { ...process.env, NODE_OPTIONS: "--max-semi-space-size=1" };
        const { stdout } = spawnSync(dir.join("linked"), ["agent", "run"], { env });
        const [execArgv, argv] = JSON.parse(stdout.toString());
        assert.deepEqual(execArgv, launcher === kernelLauncher ? [] : ["--max-semi-space-size=1"]);
        assert.deepEqual(argv, [dir.join("lib", "assay.mjs"), "agent", "run"]);
      });

      it("passes on the exit code", async () => {
        await using dir = await makeRelease(launcher);
        await writeFile(dir.join("lib", "assay.mjs"), "process.exitCode = 7;");
        assert.equal(spawnSync(dir.join("linked"), ["x"]).status, 7);
      });
    });
  }
}
