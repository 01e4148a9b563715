import assert from "node:assert/strict";
import { verify } from "node:crypto";
import { describe, it } from "node:test";
import { RemoteKeyManager } from "./remote-key-manager.ts";

describe("RemoteKeyManager", () => {
  it("signs without giving keys away, and wrongly when told to", async () => {
    const keys = new RemoteKeyManager();
    const key = await keys.generate("a", "ec-p256");
    assert.equal(key.lend, undefined);
    assert.equal(keys.find("a")?.lend, undefined);
    const data = Buffer.from("data");
    assert.ok(verify("sha256", data, key.publicKey, await key.sign(data, "der")));
    keys.spoil = true;
    assert.ok(!verify("sha256", data, key.publicKey, await key.sign(data, "der")));
    assert.equal(keys.signatures, 2);
    await keys.remove("a");
    assert.deepEqual(keys.list(), []);
  });
});
