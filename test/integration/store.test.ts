// The store in a real file: what it promises about durability, order, groups and ownership of the file.

import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { describe, it } from "node:test";
import { Status } from "../../runtime/errors/status-error.ts";
import type { Commit } from "../../server/store/commit.ts";
import { newEntry } from "../support/entries.ts";
import { openSqliteStore } from "../support/open-store.ts";
import { TempDir } from "../support/temp-dir.ts";

const NOW = 1_772_366_400;

describe("SqliteStore", () => {
  it("has after a restart what it answered for", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("store.db");
    let incarnation: string;
    {
      await using store = await openSqliteStore(path);
      incarnation = store.incarnation;
      const entries = [newEntry("a"), newEntry("b")];
      await store.write("createEntries", { entries, now: NOW, actor: "test" });
    }
    await using store = await openSqliteStore(path, { seed: 2 });
    assert.equal(store.incarnation, incarnation);
    assert.equal(store.revision, 1n);
    const page = await store.read("listEntries", { filter: {}, page: { pageSize: 10 } });
    assert.deepEqual(
      page.items.map(({ entry }) => entry.id),
      ["a", "b"],
    );
  });

  it("makes its files for its own user only", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("store.db");
    await using store = await openSqliteStore(path);
    await store.write("putSetting", { key: "a", value: "b" });
    for (const suffix of ["", "-wal", "-shm", ".lock"]) {
      const { mode } = await stat(path + suffix);
      assert.equal(mode & 0o777, 0o600, `mode of store.db${suffix}`);
    }
  });

  it("commits what waits as one group with one revision", async () => {
    await using dir = await TempDir.open();
    await using store = await openSqliteStore(dir.join("store.db"));
    const commits: Commit[] = [];
    using _ = store.onCommit((commit) => commits.push(commit));
    const many = Array.from({ length: 2000 }, (_, index) => newEntry(`busy${index}`));
    const busy = store.write("createEntries", { entries: many, now: NOW, actor: "test" });
    // All of these are sent while the store works on the one before.
    const writers = Array.from({ length: 25 }, (_, index) =>
      store.write("createEntries", { entries: [newEntry(`e${index}`)], now: NOW, actor: "test" }),
    );
    await busy;
    const results = await Promise.all(writers);
    assert.deepEqual(
      results.map(({ output }) => output[0]?.ok),
      Array.from({ length: 25 }, () => true),
    );
    const [first, ...groups] = commits;
    assert.deepEqual([first?.revision, first?.changes.length], [1n, 2000]);
    // One group, or a few where the store was done before the last of them was sent, or a group had its time.
    assert.ok(groups.length < writers.length, `${groups.length} groups`);
    assert.equal(groups.flatMap(({ changes }) => changes).length, 25);
    assert.deepEqual(
      new Set(results.map(({ revision }) => revision)),
      new Set(groups.map(({ revision }) => revision)),
    );
  });

  it("takes back nothing of the others when one of a group fails", async () => {
    await using dir = await TempDir.open();
    await using store = await openSqliteStore(dir.join("store.db"));
    const commits: Commit[] = [];
    using _ = store.onCommit((commit) => commits.push(commit));
    const first = store.write("putSetting", { key: "a", value: "1" });
    const failing = store.write("deleteNode", { id: "spiffe://example.test/spire/agent/none" });
    const last = store.write("putSetting", { key: "b", value: "2" });
    await assert.rejects(failing, { code: Status.NOT_FOUND, message: "agent not found" });
    await Promise.all([first, last]);
    assert.deepEqual(
      commits.flatMap(({ changes }) => changes.map(({ id }) => id)),
      ["a", "b"],
    );
  });

  it("changes nothing and takes no revision for a dry run", async () => {
    await using dir = await TempDir.open();
    await using store = await openSqliteStore(dir.join("store.db"));
    const input = { entries: [newEntry("a")], now: NOW, actor: "test" };
    const { output, revision } = await store.write("createEntries", input, { dryRun: true });
    assert.equal(output[0]?.ok, true);
    assert.equal(revision, 0n);
    assert.equal(await store.read("getEntry", { id: "a" }), undefined);
  });

  it("tells listeners before the writer, in order of revision", async () => {
    await using dir = await TempDir.open();
    await using store = await openSqliteStore(dir.join("store.db"));
    const events: string[] = [];
    using _ = store.onCommit((commit) => events.push(`commit ${commit.revision}`));
    for (const key of ["a", "b"]) {
      const { revision } = await store.write("putSetting", { key, value: "1" });
      events.push(`answer ${revision}`);
    }
    assert.deepEqual(events, ["commit 1", "answer 1", "commit 2", "answer 2"]);
  });

  it("is closed once, answers what was asked before and refuses what comes after", async () => {
    await using dir = await TempDir.open();
    const store = await openSqliteStore(dir.join("store.db"));
    const asked = store.write("putSetting", { key: "a", value: "1" });
    await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()]);
    assert.equal((await asked).revision, 1n);
    await assert.rejects(store.read("storeState", {}), {
      code: Status.UNAVAILABLE,
      message: "the store is closed",
      reason: "store_closed",
    });
  });
});
