import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, link, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { suite, test } from "node:test";
import { VERSION } from "../runtime/version.ts";
import { root } from "./support/sources.ts";
import { TempDir } from "./support/temp-dir.ts";

/** Another Node than the pinned one, as far as a launcher can tell, and a script to launch. */
async function prepare(
  dir: TempDir,
  script: string,
): Promise<{ readonly node: string; readonly args: string[] }> {
  const node = dir.join("other-node");
  await link(process.execPath, node).catch(() => copyFile(process.execPath, node));
  await writeFile(dir.join("script.ts"), script);
  const module = JSON.stringify(join(root, "bin", "pinned-node.mjs"));
  const path = JSON.stringify(dir.join("script.ts"));
  await writeFile(
    dir.join("launch.mjs"),
    `import { handOver } from ${module};\nawait handOver(${path}, process.argv.slice(2));\n`,
  );
  return { node, args: [dir.join("launch.mjs"), "one", "two words"] };
}

suite("launcher", () => {
  test("runs the script under the pinned Node, with its arguments and exit code", async () => {
    await using dir = await TempDir.open();
    const script = `console.log(JSON.stringify([process.execPath, process.argv.slice(2)])); process.exitCode = 7;`;
    const { node, args } = await prepare(dir, script);
    const { status, stdout } = spawnSync(node, args, { encoding: "utf8" });
    assert.equal(status, 7);
    const [execPath, given]: [string, string[]] = JSON.parse(stdout);
    assert.notEqual(execPath, node);
    assert.deepEqual(given, ["one", "two words"]);
  });

  test("the command runs in place where the pinned Node is what runs already", () => {
    const args = [join(root, "bin", "assay.mjs"), "--version"];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.deepEqual([status, stdout], [0, `${VERSION}\n`]);
  });

  test("signals reach the script, and nothing is left behind", async () => {
    await using dir = await TempDir.open();
    const script = `process.on("SIGTERM", () => process.exit(9)); setInterval(() => {}, 1000); console.log("up");`;
    const { node, args } = await prepare(dir, script);
    const child = spawn(node, args, { stdio: ["ignore", "pipe", "inherit"] });
    const exit = once(child, "exit");
    for await (const line of createInterface({ input: child.stdout })) {
      assert.equal(line, "up");
      break;
    }
    child.kill("SIGTERM");
    assert.deepEqual(await exit, [9, null]);
  });

  test("an installation that stands still is tried again, and not for ever", async () => {
    await using dir = await TempDir.open();
    const npm = dir.join("npm");
    // Stands still until it was run as often as WORKS_AT says.
    await writeFile(
      npm,
      `#!/bin/sh\necho run >>"${dir.join("runs")}"\n[ "$(wc -l <"${dir.join("runs")}")" -ge "$WORKS_AT" ] || exec sleep 60\n`,
    );
    await chmod(npm, 0o755);
    const module = JSON.stringify(join(root, "bin", "npm-ci.mjs"));
    const call = `import { npmCi } from ${module};\nnpmCi(${JSON.stringify(dir.path)}, { limits: [300, 300] });\n`;
    await writeFile(dir.join("install.mjs"), call);
    const install = (worksAt: number) =>
      spawnSync(process.execPath, [dir.join("install.mjs")], {
        encoding: "utf8",
        env: { PATH: `${dir.path}:/usr/bin:/bin`, WORKS_AT: String(worksAt) },
      });
    const second = install(2);
    assert.equal(second.status, 0, second.stderr);
    assert.match(second.stderr, /did not end in 0\.3 s, stopped/);
    assert.equal(await readFile(dir.join("runs"), "utf8"), "run\nrun\n");
    const never = install(100);
    assert.equal(never.status, 1);
    assert.match(never.stderr, /did not end in 2 tries/);
  });
});
