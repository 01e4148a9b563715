import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { parseConfig } from "../../runtime/config/load.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { filesConfigSchema } from "../config/files-config.ts";
import { resolveFiles } from "./file-specs.ts";

function resolve(files: string, more = "") {
  const text = `directory: /x\n${more}files:\n${files}`;
  return resolveFiles(parseConfig(filesConfigSchema, text, "files.yaml"));
}

describe("resolveFiles", () => {
  it("gives secrets a mode of their own, and each file its owner", async () => {
    const { files, directoryUid } = await resolve(
      `
  - { name: a, type: pem, holds: [chain] }
  - { name: b, type: pem, holds: [chain, key] }
  - { name: c, type: jwt, audience: [x], owner: "7" }
  - { name: d, type: jwks, mode: "0640" }`,
      'owner: root\ngroup: "5"\n',
    );
    assert.deepEqual(
      files.map(({ name, mode, uid, gid }) => [name, mode, uid, gid]),
      [
        ["a", 0o644, 0, 5],
        ["b", 0o600, 0, 5],
        ["c", 0o600, 7, 5],
        ["d", 0o640, 0, 5],
      ],
    );
    assert.equal(directoryUid, 0);
  });

  it("says which name or password it cannot use", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("password");
    const store = `  - { name: a, type: pkcs12, holds: [identity], passwordFile: ${path} }`;
    await assert.rejects(resolve(store), { message: /password of a PKCS#12 file/ });
    for (const password of ["", "\n", "p\u00e4ss", "two\nlines"]) {
      await writeFile(path, password);
      await assert.rejects(resolve(store), { message: /printable ASCII/ });
    }
    const unknown = "  - { name: a, type: jwks, owner: nobody-of-that-name }";
    await assert.rejects(resolve(unknown), { message: "there is no user nobody-of-that-name" });
  });
});
