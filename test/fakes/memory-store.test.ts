import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "../../runtime/errors/status-error.ts";
import { newEntry } from "../support/entries.ts";
import { MemoryStore } from "./memory-store.ts";

const NOW = 1_800_000_000;

describe("MemoryStore", () => {
  it("keeps what was written and tells listeners before the writer", async () => {
    using store = await MemoryStore.open();
    const heard: bigint[] = [];
    using _ = store.onCommit((commit) => heard.push(commit.revision));
    const entries = [newEntry("a")];
    const { revision } = await store.write("createEntries", { entries, now: NOW, actor: "test" });
    assert.deepEqual(heard, [revision]);
    assert.equal(store.revision, 1n);
    assert.equal((await store.read("getEntry", { id: "a" }))?.entry.id, "a");
  });

  it("takes back what a failing operation did", async () => {
    using store = await MemoryStore.open();
    await assert.rejects(store.write("banNode", { id: "spiffe://example.test/none" }), {
      code: Status.NOT_FOUND,
    });
    assert.equal(store.revision, 0n);
  });

  it("fails writes while it has a fault", async () => {
    using store = await MemoryStore.open();
    store.fault = { reason: "store_full", message: "the store is full" };
    await assert.rejects(store.write("putSetting", { key: "a", value: "b" }), {
      code: Status.RESOURCE_EXHAUSTED,
      message: "the store is full",
    });
  });
});
