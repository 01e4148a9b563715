import assert from "node:assert/strict";
import { link, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { eventually } from "../../test/support/eventually.ts";
import { type FileIdentities, openFileIdentities } from "./file-identity.ts";

/**
 * The kernel may not know a name without waiting: because another process renames something at that moment, or because a symbolic link
 * was not followed since it was made, and its time of access has to be written. So it is followed in the ordinary way before.
 */
function known(files: FileIdentities, path: string): Promise<string> {
  return eventually(`the identity of ${path}`, async () => {
    await stat(path);
    return files.ofName(path);
  });
}

describe("file identities", () => {
  it("are those of the file behind a link of /proc, and of a name that leads to it", async () => {
    const files = openFileIdentities();
    const ofLink = files.ofLink(`/proc/${process.pid}/exe`);
    assert.match(ofLink ?? "", /^\d+:\d+:\d+$/);
    assert.equal(await known(files, process.execPath), ofLink);
    const root = await known(files, "/");
    assert.equal(root, files.ofLink(`/proc/${process.pid}/root`));
    assert.notEqual(root, ofLink);
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
      const one = await known(files, named("one"));
      assert.notEqual(await known(files, named("other")), one);
      assert.equal(await known(files, named("again")), one);
      assert.equal(await known(files, named("pointer")), one);
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
