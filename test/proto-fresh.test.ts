import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const generated = join("proto", "gen");

/** Relative path to text, for every file below a folder. */
async function readTree(folder: string): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    texts.set(path.slice(folder.length + 1), await readFile(path, "utf8"));
  }
  return texts;
}

/** Runs the generator of `npm run generate` with another folder as its root. */
async function generateInto(folder: string): Promise<void> {
  const binaries = join(root, "node_modules", ".bin");
  await promisify(execFile)(join(binaries, "buf"), ["generate", "--output", folder], {
    cwd: root,
    env: {
      PATH: `${binaries}:${dirname(process.execPath)}:/usr/bin:/bin`,
      XDG_CACHE_HOME: join(folder, "cache"),
    },
  });
}

describe("proto/gen", () => {
  it("is what `npm run generate` makes of the definitions", async () => {
    const folder = await mkdtemp(join(tmpdir(), "assay-proto-"));
    try {
      await generateInto(folder);
      const fresh = await readTree(join(folder, generated));
      const committed = await readTree(join(root, generated));
      assert.deepEqual([...committed.keys()].sort(), [...fresh.keys()].sort());
      for (const [path, text] of fresh) {
        assert.equal(committed.get(path), text, `${path} is stale: run npm run generate`);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
