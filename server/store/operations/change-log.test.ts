import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "../../../runtime/errors/status-error.ts";
import { FakeClock } from "../../../test/fakes/fake-clock.ts";
import { MemoryStore } from "../../../test/fakes/memory-store.ts";
import { newEntry } from "../../../test/support/entries.ts";
import type { LogExtract } from "../contract/maintenance.ts";

const START = 1_772_366_400;

function lines({ changes }: LogExtract): readonly string[] {
  return changes.map(({ revision, kind, id, action }) => `${revision} ${kind} ${id} ${action}`);
}

async function open(): Promise<{ readonly store: MemoryStore; readonly clock: FakeClock }> {
  const clock = new FakeClock(new Date(START * 1000));
  return { clock, store: await MemoryStore.open(clock) };
}

describe("the change log", () => {
  it("has every change in order, with what an entry was reached by before", async () => {
    using store = (await open()).store;
    const entries = [newEntry("a"), newEntry("b")];
    await store.write("createEntries", { entries, now: START, actor: "test" });
    const parentId = "spiffe://example.test/moved";
    await store.write("updateEntries", {
      updates: [{ id: "a", set: { parentId } }],
      actor: "test",
    });
    await store.write("deleteEntries", { ids: ["a"] });
    await store.write("putSetting", { key: "s", value: "1" });
    const extract = await store.read("changesSince", { revision: 0n, limit: 100 });
    assert.deepEqual(lines(extract), [
      "1 entry a create",
      "1 entry b create",
      "2 entry a update",
      "3 entry a delete",
      "4 setting s create",
    ]);
    assert.deepEqual(
      extract.changes.map(({ before }) => before?.parentId),
      [undefined, undefined, newEntry("a").parentId, parentId, undefined],
    );
    assert.deepEqual([extract.through, extract.head, extract.floor], [4n, 4n, 0n]);
  });

  it("is read in whole revisions", async () => {
    using store = (await open()).store;
    const entries = [newEntry("a"), newEntry("b"), newEntry("c")];
    await store.write("createEntries", { entries, now: START, actor: "test" });
    await store.write("putSetting", { key: "s", value: "1" });
    const first = await store.read("changesSince", { revision: 0n, limit: 2 });
    assert.equal(first.changes.length, 3);
    assert.equal(first.through, 1n);
    const rest = await store.read("changesSince", { revision: first.through, limit: 2 });
    assert.deepEqual(lines(rest), ["2 setting s create"]);
    assert.equal(rest.through, 2n);
    assert.deepEqual(lines(await store.read("changesSince", { revision: 2n, limit: 2 })), []);
  });

  it("goes by age and by number, oldest first, a piece at a time", async () => {
    const { store, clock } = await open();
    using _ = store;
    for (const key of ["a", "b", "c", "d", "e"]) {
      await store.write("putSetting", { key, value: "1" });
      await clock.advance(60_000);
    }
    const prune = async (before: number, maxChanges: number, limit: number): Promise<number> =>
      (await store.write("pruneChangeLog", { before, maxChanges, limit })).output;
    assert.equal(await prune(START + 59, 100, 1), 1);
    assert.equal(await prune(START + 59, 100, 1), 0);
    assert.equal(await prune(0, 2, 1), 1);
    assert.equal(await prune(0, 2, 10), 1);
    assert.equal(await prune(0, 2, 10), 0);
    const extract = await store.read("changesSince", { revision: 3n, limit: 10 });
    assert.deepEqual(lines(extract), ["4 setting d create", "5 setting e create"]);
    assert.equal(extract.floor, 3n);
    assert.deepEqual(lines(await store.read("changesSince", { revision: 2n, limit: 10 })), []);
    assert.equal(store.revision, 5n);
  });
});

describe("recordsSince", () => {
  it("has what changed as it is now, and names what is gone", async () => {
    using store = (await open()).store;
    const entries = [newEntry("old"), newEntry("gone")];
    await store.write("createEntries", { entries, now: START, actor: "test" });
    await store.write("deleteEntries", { ids: ["gone"] });
    await store.write("updateEntries", {
      updates: [{ id: "old", set: { hint: "new" } }],
      actor: "test",
    });
    const since = await store.read("recordsSince", { revision: 1n });
    assert.equal(since?.head, 3n);
    assert.deepEqual(
      since?.entries.map(({ id, record }) => [id, record?.hint]),
      [
        ["gone", undefined],
        ["old", "new"],
      ],
    );
  });
});

describe("settings and the revocation epoch", () => {
  it("are kept, removed, and told to listeners", async () => {
    using store = (await open()).store;
    const told: string[] = [];
    using _ = store.onCommit(({ changes }) => {
      for (const { kind, id, action } of changes) told.push(`${kind} ${id} ${action}`);
    });
    await store.write("putSetting", { key: "a", value: "1" });
    await store.write("putSetting", { key: "a", value: "1" });
    await store.write("putSetting", { key: "a", value: "2" });
    assert.equal(await store.read("getSetting", { key: "a" }), "2");
    await store.write("putSetting", { key: "a" });
    assert.equal(await store.read("getSetting", { key: "a" }), undefined);
    assert.equal((await store.write("raiseRevocationEpoch", { by: 3n })).output, 3n);
    assert.equal((await store.read("storeState", {})).revocationEpoch, 3n);
    assert.deepEqual(told, [
      "setting a create",
      "setting a update",
      "setting a delete",
      "setting revocation_epoch update",
    ]);
  });

  it("keep the epoch from being set as a setting", async () => {
    using store = (await open()).store;
    await assert.rejects(store.write("putSetting", { key: "revocation_epoch", value: "0" }), {
      code: Status.INVALID_ARGUMENT,
      message: "setting revocation_epoch is not to be set",
    });
  });
});
