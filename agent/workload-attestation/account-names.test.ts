import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { systemClock } from "../../runtime/time/clock.ts";
import { parseAccounts, SystemAccountNames } from "./account-names.ts";

const signal = new AbortController().signal;

describe("parseAccounts", () => {
  it("takes the first name of an ID and passes over lines that are no accounts", () => {
    const text =
      "root:x:0:0::/root:/bin/sh\ntoor:x:0:0:::\n\n+::::::\nbad:x:many:0:::\nann:x:1000:\n";
    assert.deepEqual(
      [...parseAccounts(text)],
      [
        [0, "root"],
        [1000, "ann"],
      ],
    );
  });
});

describe("SystemAccountNames", () => {
  it("notices a changed file at the next call", async () => {
    const root = await mkdtemp(join(tmpdir(), "assay-root-"));
    const etc = join(root, "etc");
    try {
      await mkdir(etc);
      await writeFile(join(etc, "passwd"), "ann:x:424242:1:::\n");
      await writeFile(join(etc, "group"), "staff:x:434343:\n");
      const names = new SystemAccountNames(systemClock, root);
      assert.equal(await names.user(424242, signal), "ann");
      assert.equal(await names.group(434343, signal), "staff");
      assert.equal(await names.user(454545, signal), undefined);
      await writeFile(join(etc, "passwd"), "anna:x:424242:1:::\nben:x:454545:1:::\n");
      assert.equal(await names.user(424242, signal), "anna");
      assert.equal(await names.user(454545, signal), "ben");
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it("rejects when the database cannot be read", async () => {
    const names = new SystemAccountNames(systemClock, "/nonexistent");
    await assert.rejects(names.user(0, signal), { code: "ENOENT" });
  });
});
