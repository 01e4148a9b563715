import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatNotices } from "./notices.ts";
import { packagesOf } from "./packages.ts";

const root = `${import.meta.dirname}/../..`;

describe("packagesOf", () => {
  it("names each package once, sorted, with version, licence and text", async () => {
    const packages = await packagesOf(root, [
      "node_modules/zod/v4/index.js",
      "node_modules/@grpc/grpc-js/build/src/index.js",
      "node_modules/zod/v4/core/core.js",
      "server/main.ts",
    ]);
    assert.deepEqual(
      packages.map(({ name, license }) => [name, license]),
      [
        ["@grpc/grpc-js", "Apache-2.0"],
        ["zod", "MIT"],
      ],
    );
    assert.ok(packages.every(({ version, texts }) => /^\d/.test(version) && texts.length > 0));
  });
});

describe("formatNotices", () => {
  it("gives every package's texts under its name", () => {
    const one = { name: "left", version: "1.0.0", license: "MIT", texts: ["Copyright L"] };
    const notices = formatNotices([one, { ...one, name: "right", texts: [] }]);
    assert.match(notices, /left 1\.0\.0 \(MIT\)\n\nCopyright L\n\n-+\n\nright 1\.0\.0 \(MIT\)\n$/);
  });
});
