import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { TempDir } from "../../test/support/temp-dir.ts";
import { DiskKeyManager } from "./disk-key-manager.ts";

describe("DiskKeyManager", () => {
  it("has the same keys after it is opened again", async () => {
    await using dir = await TempDir.open();
    const made = await (await DiskKeyManager.open(dir.join("keys"))).generate("a", "ec-p384");
    const found = (await DiskKeyManager.open(dir.join("keys"))).find("a");
    assert.equal(found?.type, "ec-p384");
    assert.ok(found?.publicKey.equals(made.publicKey));
  });

  it("keeps the folder at 0700 and files at 0600, readable by openssl", async () => {
    await using dir = await TempDir.open();
    const manager = await DiskKeyManager.open(dir.join("keys"));
    await manager.generate("a", "ec-p256");
    assert.equal((await stat(dir.join("keys"))).mode & 0o777, 0o700);
    assert.equal((await stat(dir.join("keys", "a.pem"))).mode & 0o777, 0o600);
    const args = ["pkey", "-in", dir.join("keys", "a.pem"), "-noout", "-check"];
    assert.match(execFileSync("openssl", args, { encoding: "utf8" }), /valid/);
  });

  it("forgets a removed key for good", async () => {
    await using dir = await TempDir.open();
    const manager = await DiskKeyManager.open(dir.join("keys"));
    await manager.generate("a", "ec-p256");
    await manager.remove("a");
    assert.deepEqual(await readdir(dir.join("keys")), []);
    assert.equal((await DiskKeyManager.open(dir.join("keys"))).find("a"), undefined);
  });

  it("clears what an interrupted write left, and leaves other files alone", async () => {
    await using dir = await TempDir.open();
    await writeFile(dir.join(".unfinished-a.pem"), "half");
    await writeFile(dir.join("README"), "mine");
    const manager = await DiskKeyManager.open(dir.path);
    assert.deepEqual(manager.list(), []);
    assert.deepEqual(await readdir(dir.path), ["README"]);
  });

  const refusals: readonly {
    readonly name: string;
    readonly spoil: (dir: TempDir) => Promise<unknown>;
    readonly message: RegExp;
  }[] = [
    {
      name: "a folder that others can read",
      spoil: (dir) => chmod(dir.path, 0o755),
      message: /^key folder .* has mode 0755, expected 0700: run chmod 0700 /,
    },
    {
      name: "a file that others can read",
      spoil: (dir) => chmod(dir.join("a.pem"), 0o644),
      message: /^key file .*a\.pem has mode 0644, expected 0600: run chmod 0600 /,
    },
    {
      name: "a corrupt file",
      spoil: async (dir) => {
        const pem = await readFile(dir.join("a.pem"), "utf8");
        await writeFile(dir.join("a.pem"), pem.slice(0, 100));
      },
      message: /a\.pem does not hold a private key of ours in PEM \(PKCS#8\): restore it/,
    },
    {
      name: "an empty file",
      spoil: (dir) => writeFile(dir.join("a.pem"), ""),
      message: /does not hold a private key of ours/,
    },
    {
      name: "a key of another kind",
      spoil: async (dir) => {
        const args = ["genpkey", "-algorithm", "ed25519", "-out", dir.join("a.pem")];
        execFileSync("openssl", args);
      },
      message: /does not hold a private key of ours/,
    },
    {
      name: "a symbolic link",
      spoil: async (dir) => {
        await symlink(dir.join("a.pem"), dir.join("b.pem"));
      },
      message: /b\.pem is a symbolic link: put the file itself there/,
    },
    {
      name: "a folder where a file should be",
      spoil: (dir) => mkdir(dir.join("b.pem")),
      message: /b\.pem is not a regular file/,
    },
    {
      name: "a file far too large",
      spoil: (dir) => writeFile(dir.join("a.pem"), "x".repeat(20_000)),
      message: /a\.pem is too large for a key/,
    },
  ];
  for (const { name, spoil, message } of refusals) {
    it(`refuses ${name}, and does not quote its content`, async () => {
      await using dir = await TempDir.open();
      await (await DiskKeyManager.open(dir.path)).generate("a", "ec-p256");
      await spoil(dir);
      await assert.rejects(DiskKeyManager.open(dir.path), (err: Error) => {
        assert.match(err.message, message);
        assert.doesNotMatch(err.message, /BEGIN|xxx/);
        return true;
      });
    });
  }
});
