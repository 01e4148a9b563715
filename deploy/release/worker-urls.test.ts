import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { build } from "esbuild";
import { TempDir } from "../../test/support/temp-dir.ts";
import { workerUrls } from "./worker-urls.ts";

const starter = 'export const url = new URL("../threads/work.ts", import.meta.url);';

async function bundleWith(parts: Readonly<Record<string, string>>): Promise<string> {
  await using dir = await TempDir.open();
  const sources = { "main/main.ts": starter, "threads/work.ts": "export {};" };
  for (const [path, text] of Object.entries(sources)) {
    await mkdir(dirname(join(dir.path, path)), { recursive: true });
    await writeFile(join(dir.path, path), text);
  }
  const { outputFiles } = await build({
    absWorkingDir: dir.path,
    entryPoints: ["main/main.ts"],
    format: "esm",
    bundle: true,
    write: false,
    logLevel: "silent",
    plugins: [workerUrls(dir.path, parts)],
  });
  return outputFiles[0]?.text ?? "";
}

describe("workerUrls", () => {
  it("names the file that the worker becomes", async () => {
    const text = await bundleWith({ "some-worker": "threads/work.ts" });
    assert.match(text, /new URL\("\.\/some-worker\.mjs", import\.meta\.url\)/);
  });

  it("refuses a worker that is no part", async () => {
    await assert.rejects(bundleWith({}), /threads\/work\.ts is a worker and no part of a release/);
  });
});
