// The documents say what the code does: generated pages are as the code makes them, and examples decode.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { CONFIG_FILES } from "../deploy/docs/configuration-page.ts";
import { generatedPages } from "../deploy/docs/pages.ts";
import { parseConfig } from "../runtime/config/load.ts";
import { root } from "./support/sources.ts";

suite("documents", () => {
  test("generated pages are what `npm run docs` writes", async () => {
    for (const [path, text] of await generatedPages()) {
      const committed = await readFile(join(root, path), "utf8");
      assert.equal(committed, text, `${path} is stale: run npm run docs`);
    }
  });

  for (const { place, schema, example } of CONFIG_FILES) {
    test(`the example of ${place} is valid`, async () => {
      const text = await readFile(example, "utf8");
      assert.ok(parseConfig<unknown>(schema, text, place));
    });
  }
});
