import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { TempDir } from "../../test/support/temp-dir.ts";
import { readKnownBadKeys } from "./read-known-bad-keys.ts";

describe("readKnownBadKeys", () => {
  it("takes hashes in either case, between comments and empty lines", async () => {
    await using dir = await TempDir.open();
    const one = hash("sha256", "one", "hex");
    const two = hash("sha256", "two", "hex");
    await writeFile(dir.join("list"), `# leaked\n${one}\r\n\n  ${two.toUpperCase()}\n`);
    assert.deepEqual([...(await readKnownBadKeys(dir.join("list")))], [one, two]);
  });

  for (const line of ["deadbeef", `${"0".repeat(64)} trailing`, "0".repeat(65), "\0"]) {
    it(`refuses a list with the line ${JSON.stringify(line)}, by its number`, async () => {
      await using dir = await TempDir.open();
      await writeFile(dir.join("list"), `# keys\n${line}\n`);
      await assert.rejects(readKnownBadKeys(dir.join("list")), /list:2: expected a SHA-256/);
    });
  }

  it("refuses a list that is not there", async () => {
    await using dir = await TempDir.open();
    await assert.rejects(readKnownBadKeys(dir.join("list")), { code: "ENOENT" });
  });
});
