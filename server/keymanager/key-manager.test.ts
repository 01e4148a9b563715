import assert from "node:assert/strict";
import { verify } from "node:crypto";
import { describe, it } from "node:test";
import { TempDir } from "../../test/support/temp-dir.ts";
import { DiskKeyManager } from "./disk-key-manager.ts";
import type { KeyManager } from "./key-manager.ts";
import { KEY_TYPES, schemeOf } from "./key-type.ts";
import { MemoryKeyManager } from "./memory-key-manager.ts";

const makers: readonly {
  readonly name: string;
  readonly open: (dir: TempDir) => Promise<KeyManager>;
}[] = [
  { name: "MemoryKeyManager", open: async () => new MemoryKeyManager() },
  { name: "DiskKeyManager", open: (dir) => DiskKeyManager.open(dir.join("keys")) },
];

for (const { name, open } of makers) {
  describe(`${name} as a key manager`, () => {
    it("makes keys of each type that sign in both encodings", async () => {
      await using dir = await TempDir.open();
      const manager = await open(dir);
      const data = Buffer.from("to be signed");
      for (const type of KEY_TYPES.filter((type) => type !== "rsa-4096")) {
        const key = await manager.generate(`key-${type}`, type);
        assert.equal(key.type, type);
        for (const encoding of ["der", "p1363"] as const) {
          const signature = await key.sign(data, encoding);
          const dsaEncoding = encoding === "der" ? "der" : "ieee-p1363";
          const { hash } = schemeOf(type);
          assert.ok(verify(hash, data, { key: key.publicKey, dsaEncoding }, signature));
        }
      }
    });

    it("finds, lists and removes keys", async () => {
      await using dir = await TempDir.open();
      const manager = await open(dir);
      const key = await manager.generate("a", "ec-p256");
      assert.equal(manager.find("a"), key);
      assert.deepEqual(manager.list(), [key]);
      await manager.remove("a");
      await manager.remove("a");
      assert.equal(manager.find("a"), undefined);
      assert.deepEqual(manager.list(), []);
    });

    it("never replaces a key, not even for two callers at once", async () => {
      await using dir = await TempDir.open();
      const manager = await open(dir);
      const made = await Promise.allSettled([
        manager.generate("a", "ec-p256"),
        manager.generate("a", "ec-p256"),
      ]);
      assert.deepEqual(made.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
      await assert.rejects(manager.generate("a", "ec-p256"), { message: "key a exists already" });
    });

    it("refuses IDs that could name something else", async () => {
      await using dir = await TempDir.open();
      const manager = await open(dir);
      for (const id of ["", "../a", "A", ".a", "a/b", "a.pem", "-a", "a".repeat(101)]) {
        await assert.rejects(manager.generate(id, "ec-p256"), TypeError);
      }
    });

    it("does not show private bytes when inspected or serialised", async () => {
      await using dir = await TempDir.open();
      const key = await (await open(dir)).generate("a", "ec-p256");
      assert.deepEqual(Object.keys(key).sort(), ["id", "publicKey", "type"]);
      assert.doesNotMatch(JSON.stringify(key), /PRIVATE|"d"/);
    });
  });
}
