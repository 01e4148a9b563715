// deploy/kubernetes is what the chart gives with its default values.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { plainManifests } from "../deploy/helm/manifests.ts";
import { helmCommand } from "./support/helm.ts";
import { requires } from "./support/requires.ts";
import { root } from "./support/sources.ts";

const folder = join(root, "deploy", "kubernetes");

suite("plain manifests", () => {
  if (requires("helm")) {
    test("are what `npm run manifests` writes", async () => {
      const manifests = await plainManifests(helmCommand);
      assert.deepEqual((await readdir(folder)).sort(), [...manifests.keys()].sort());
      for (const [name, text] of manifests) {
        const written = await readFile(join(folder, name), "utf8");
        assert.equal(written, text, `deploy/kubernetes/${name} is stale: run npm run manifests`);
      }
    });
  }
});
