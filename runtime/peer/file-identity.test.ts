import assert from "node:assert/strict";
import { link, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openFileIdentities } from "./file-identity.ts";

describe("file identities", () => {
  it("are those of the file behind a link of /proc, and of a name that leads to it", () => {
    const files = openFileIdentities();
    const ofLink = files.ofLink(`/proc/${process.pid}/exe`);
    assert.match(ofLink ?? "", /^\d+:\d+:\d+$/);
    assert.equal(files.ofName(process.execPath), ofLink);
    assert.equal(files.ofName("/"), files.ofLink(`/proc/${process.pid}/root`));
    assert.notEqual(files.ofName("/"), ofLink);
  });

  it("tell files apart, and names of one file not", async () => {
    const dir = await mkdtemp(join(tmpdir(), "assay-identity-"));
    try {
      const named = (name: string): string => join(dir, name);
      await writeFile(named("one"), "");
      await writeFile(named("other"), "");
      await link(named("one"), named("again"));
      await symlink(named("one"), named("pointer"));
      const files = openFileIdentities();
      const one = files.ofName(named("one"));
      assert.notEqual(one, undefined);
      assert.notEqual(files.ofName(named("other")), one);
      assert.equal(files.ofName(named("again")), one);
      assert.equal(files.ofName(named("pointer")), one);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it("are not known of what is not there, nor on other systems", () => {
    assert.equal(openFileIdentities().ofName("/nonexistent/file"), undefined);
    assert.equal(openFileIdentities().ofLink("/proc/0/exe"), undefined);
    assert.equal(openFileIdentities("darwin").ofName("/"), undefined);
  });
});
