import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { describe, it } from "node:test";
import { OTHER_POD_UID, POD_UID } from "../../test/support/pods.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { TokenFolder } from "./token-folder.ts";

describe("TokenFolder", () => {
  it("keeps the newest token of each volume for root alone, until the last one goes", async () => {
    await using dir = await TempDir.open();
    const tokens = new TokenFolder(dir.join("tokens"));
    const first = { podUid: "p1", volume: "a" };
    const second = { podUid: "p1", volume: "b" };
    await tokens.put(first, "1");
    await tokens.put(first, "2");
    await tokens.put(second, "3");
    assert.equal(await readFile(dir.join("tokens/p1/a"), "utf8"), "2");
    assert.equal((await stat(dir.join("tokens/p1/a"))).mode & 0o777, 0o600);
    assert.equal((await stat(dir.join("tokens/p1"))).mode & 0o777, 0o700);
    await tokens.remove(first);
    assert.deepEqual(await readdir(dir.join("tokens/p1")), ["b"]);
    await tokens.remove(second);
    await tokens.remove(second);
    assert.deepEqual(await readdir(dir.join("tokens")), []);
  });

  it("forgets what pods left that are gone, and touches nothing else", async () => {
    await using dir = await TempDir.open();
    const tokens = new TokenFolder(dir.join("tokens"));
    for (const podUid of [POD_UID, OTHER_POD_UID, "somebody-else"]) {
      await tokens.put({ podUid, volume: "a" }, "1");
    }
    await tokens.prune((podUid) => podUid === POD_UID);
    assert.deepEqual((await readdir(dir.join("tokens"))).sort(), [POD_UID, "somebody-else"]);
  });
});
