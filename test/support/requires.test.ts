import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { root } from "./sources.ts";
import { TempDir } from "./temp-dir.ts";

async function runTestFile(dir: TempDir, env: NodeJS.ProcessEnv): Promise<number | null> {
  const file = dir.join("sample.test.ts");
  const module = JSON.stringify(join(root, "test", "support", "requires.ts"));
  await writeFile(
    file,
    `import { test } from "node:test";\nimport { requires } from ${module};\nif (requires("curl")) test("with curl", () => {});\n`,
  );
  // Without the runner's own variable, or this would be taken for a part of the run around it.
  const { NODE_TEST_CONTEXT: _, CI: __, ...rest } = process.env;
  const child = spawnSync(process.execPath, [file], {
    env: { ...rest, ASSAY_TEST_WITHOUT: "curl", ...env },
  });
  return child.status;
}

suite("requires", () => {
  test("what is missing is written down for the runner, and nothing fails", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("omissions");
    assert.equal(await runTestFile(dir, { ASSAY_TEST_OMISSIONS: path }), 0);
    assert.deepEqual(JSON.parse(await readFile(path, "utf8")), {
      need: "curl",
      remedy: "apt-get install curl",
      file: dir.join("sample.test.ts"),
    });
  });

  test("with CI=true what is missing is a failure", async () => {
    await using dir = await TempDir.open();
    const env = { ASSAY_TEST_OMISSIONS: dir.join("omissions"), CI: "true" };
    assert.equal(await runTestFile(dir, env), 1);
  });
});
