import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryStore } from "../../test/fakes/memory-store.ts";
import { newEntry } from "../../test/support/entries.ts";
import { RecentChanges } from "./recent-changes.ts";

const create = (store: MemoryStore, ...ids: readonly string[]) =>
  store.write("createEntries", { entries: ids.map((id) => newEntry(id)), now: 1, actor: "test" });
const remove = (store: MemoryStore, id: string) => store.write("deleteEntries", { ids: [id] });

describe("RecentChanges", () => {
  it("tells what changed after a revision, with what was before the first change", async () => {
    using store = await MemoryStore.open();
    using recent = await RecentChanges.open(store);
    const { revision } = await create(store, "a", "b");
    await remove(store, "a");
    await create(store, "c");
    const { entries } = recent.after(revision) ?? assert.fail();
    assert.deepEqual([...entries.keys()].sort(), ["a", "c"]);
    assert.equal(entries.get("a")?.spiffeId, "spiffe://example.test/a");
    assert.equal(entries.get("c"), undefined);
    assert.deepEqual([...(recent.after(store.revision)?.entries ?? [])], []);
  });

  it("reads the log of before the start", async () => {
    using store = await MemoryStore.open();
    const { revision } = await create(store, "a");
    await remove(store, "a");
    using recent = await RecentChanges.open(store);
    assert.deepEqual([...(recent.after(revision)?.entries.keys() ?? [])], ["a"]);
    assert.deepEqual([...(recent.after(0n)?.entries.keys() ?? [])], ["a"]);
  });

  it("forgets the oldest revisions as a whole, and says so", async () => {
    using store = await MemoryStore.open();
    using recent = await RecentChanges.open(store);
    for (let batch = 0; batch < 6; batch++) {
      await create(store, ...Array.from({ length: 1_000 }, (_, i) => `e-${batch}-${i}`));
    }
    assert.equal(recent.after(0n), undefined);
    const last = recent.after(store.revision - 1n) ?? assert.fail();
    assert.equal(last.entries.size, 1_000);
  });
});
