// Backups of a store in use, and what a restored one says about the time that it lost.

import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { Status } from "../../runtime/errors/status-error.ts";
import { type RestoreReport, restoreBackup } from "../../server/store/sqlite/restore.ts";
import type { SqliteStore } from "../../server/store/sqlite/sqlite-store.ts";
import { FakeRandom } from "../fakes/fake-random.ts";
import { newEntry } from "../support/entries.ts";
import { openSqliteStore } from "../support/open-store.ts";
import { TempDir } from "../support/temp-dir.ts";

const NOW = 1_772_366_400;
const AGENT = "spiffe://example.test/spire/agent/x509pop/one";

async function createEntries(store: SqliteStore, ...ids: readonly string[]): Promise<void> {
  const entries = ids.map((id) => newEntry(id));
  await store.write("createEntries", { entries, now: NOW, actor: "test" });
}

async function attest(store: SqliteStore): Promise<void> {
  await store.write("recordAttestation", {
    id: AGENT,
    attestationType: "x509pop",
    serial: "1",
    expiresAt: NOW + 3600,
    publicKeyHash: "00",
    selectors: [],
    canReattest: true,
    now: NOW,
  });
}

async function restore(dir: TempDir): Promise<RestoreReport> {
  return await restoreBackup({
    backupPath: dir.join("backup.db"),
    storePath: dir.join("store.db"),
    random: new FakeRandom("restore"),
    pid: process.pid,
  });
}

describe("SqliteStore.backup", () => {
  it("writes a whole copy for its own user only, while writers go on", async () => {
    await using dir = await TempDir.open();
    await using store = await openSqliteStore(dir.join("store.db"));
    await createEntries(store, ...Array.from({ length: 2000 }, (_, index) => `e${index}`));
    const done = store.backup(dir.join("backup.db"));
    const writers = Array.from({ length: 20 }, (_, index) => createEntries(store, `w${index}`));
    const [result] = await Promise.all([done, ...writers]);
    const { size, mode } = await stat(dir.join("backup.db"));
    assert.equal(result.bytes, size);
    assert.equal(mode & 0o777, 0o600);
    assert.equal(result.incarnation, store.incarnation);
    await using copy = await openSqliteStore(dir.join("backup.db"));
    assert.equal(copy.revision, result.revision);
    assert.equal(copy.incarnation, store.incarnation);
    const count = await copy.read("countEntries", { filter: {} });
    const log = await copy.read("changesSince", { revision: 0n, limit: 10_000 });
    assert.equal(count, log.changes.length);
    assert.ok(count >= 2000);
  });

  it("replaces no file and leaves none behind when it fails", async () => {
    await using dir = await TempDir.open();
    await using store = await openSqliteStore(dir.join("store.db"));
    await writeFile(dir.join("backup.db"), "something else");
    await assert.rejects(store.backup(dir.join("backup.db")), {
      code: Status.ALREADY_EXISTS,
      reason: "backup_exists",
      message: `${dir.join("backup.db")} exists already: a backup replaces no file`,
    });
    assert.equal(await readFile(dir.join("backup.db"), "utf8"), "something else");
    await assert.rejects(store.backup(dir.join("missing", "backup.db")), {
      code: Status.UNAVAILABLE,
      message: /cannot write the backup/,
    });
    const names = await readdir(dir.path);
    assert.deepEqual(
      names.filter((name) => name.includes("partial")),
      [],
    );
    await createEntries(store, "still-works");
  });
});

describe("restoreBackup", () => {
  it("starts a new history and names what came back, what was taken back and what is lost", async () => {
    await using dir = await TempDir.open();
    let old: { readonly incarnation: string; readonly revision: bigint };
    {
      await using store = await openSqliteStore(dir.join("store.db"));
      await createEntries(store, "deleted-later", "changed-later", "kept");
      await attest(store);
      const token = { tokenHash: "aa", expiresAt: NOW + 600, now: NOW, actor: "test" };
      await store.write("createJoinToken", token);
      await store.backup(dir.join("backup.db"));
      await store.write("deleteEntries", { ids: ["deleted-later"] });
      const updates = [{ id: "changed-later", set: { hint: "changed" } }];
      await store.write("updateEntries", { updates, actor: "test" });
      await createEntries(store, "made-later");
      await store.write("banNode", { id: AGENT });
      await store.write("raiseRevocationEpoch", { by: 5n });
      old = { incarnation: store.incarnation, revision: store.revision };
    }
    const report = await restore(dir);
    assert.notEqual(report.incarnation, old.incarnation);
    assert.equal(report.revision, old.revision + 1n);
    assert.equal(report.revocationEpoch, 5n + 2n ** 20n);
    assert.equal(report.voidedJoinTokens, 1);
    const ids = (listed: { readonly items: readonly { readonly id: string }[] } | undefined) =>
      listed?.items.map(({ id }) => id);
    assert.deepEqual(report.differences?.entries.returned.items, [
      { id: "deleted-later", spiffeId: "spiffe://example.test/deleted-later" },
    ]);
    assert.deepEqual(ids(report.differences?.entries.reverted), ["changed-later"]);
    assert.deepEqual(ids(report.differences?.entries.lost), ["made-later"]);
    assert.deepEqual(ids(report.differences?.unbannedNodes), [AGENT]);

    await using store = await openSqliteStore(dir.join("store.db"));
    assert.equal(store.incarnation, report.incarnation);
    assert.equal(store.revision, report.revision);
    assert.equal(await store.read("getJoinToken", { tokenHash: "aa" }), undefined);
    const state = await store.read("storeState", {});
    assert.equal(state.logFloor, report.revision);
    assert.equal(state.revocationEpoch, report.revocationEpoch);
    await createEntries(store, "after");
    const page = await store.read("listEntries", { filter: {}, page: { pageSize: 10 } });
    assert.deepEqual(
      page.items.map(({ entry }) => entry.id),
      ["deleted-later", "changed-later", "kept", "after"],
    );
  });

  it("keeps the store that it replaced", async () => {
    await using dir = await TempDir.open();
    {
      await using store = await openSqliteStore(dir.join("store.db"));
      await store.backup(dir.join("backup.db"));
      await createEntries(store, "made-later");
    }
    const { replacedPath = "" } = await restore(dir);
    await using replaced = await openSqliteStore(replacedPath);
    assert.equal((await replaced.read("getEntry", { id: "made-later" }))?.entry.id, "made-later");
  });

  it("takes the place of a damaged store and of none", async () => {
    await using dir = await TempDir.open();
    {
      await using store = await openSqliteStore(dir.join("store.db"));
      await createEntries(store, "kept");
      await store.backup(dir.join("backup.db"));
    }
    await writeFile(dir.join("store.db"), "damaged ".repeat(1000));
    const first = await restore(dir);
    assert.equal(first.differences, undefined);
    const replaced = await readFile(first.replacedPath ?? "", "utf8");
    assert.ok(replaced.startsWith("damaged"));
    await using other = await TempDir.open();
    const second = await restoreBackup({
      backupPath: dir.join("backup.db"),
      storePath: other.join("store.db"),
      random: new FakeRandom("other"),
      pid: process.pid,
    });
    assert.equal(second.replacedPath, undefined);
    await using store = await openSqliteStore(other.join("store.db"));
    assert.equal(await store.read("countEntries", { filter: {} }), 1);
  });

  it("refuses while a server uses the store", async () => {
    await using dir = await TempDir.open();
    await using store = await openSqliteStore(dir.join("store.db"));
    await store.backup(dir.join("backup.db"));
    await assert.rejects(restore(dir), {
      code: Status.FAILED_PRECONDITION,
      reason: "store_in_use",
    });
  });

  it("refuses what is no backup and leaves the store as it was", async () => {
    await using dir = await TempDir.open();
    {
      await using store = await openSqliteStore(dir.join("store.db"));
      await createEntries(store, "kept");
    }
    const before = await readFile(dir.join("store.db"));
    const contents = [
      ["empty", ""],
      ["text", "no database ".repeat(1000)],
    ] as const;
    for (const [what, content] of contents) {
      await writeFile(dir.join("backup.db"), content);
      await assert.rejects(
        restore(dir),
        {
          code: Status.FAILED_PRECONDITION,
          reason: "backup_unusable",
          message: `${dir.join("backup.db")} is no whole backup of a store`,
        },
        what,
      );
    }
    assert.deepEqual(await readFile(dir.join("store.db")), before);
    const names = await readdir(dir.path);
    assert.deepEqual(
      names.filter((name) => name.includes("restoring")),
      [],
    );
  });
});
