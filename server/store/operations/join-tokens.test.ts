import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "../../../runtime/errors/status-error.ts";
import { MemoryStore } from "../../../test/fakes/memory-store.ts";
import { newEntry } from "../../../test/support/entries.ts";
import type { NewEntry } from "../contract/entries.ts";
import type { JoinTokenRecord } from "../records.ts";

const NOW = 1_772_366_400;
const UNKNOWN = {
  code: Status.INVALID_ARGUMENT,
  reason: "join_token_unknown",
  message: "failed to attest: join token does not exist or has already been used",
};

async function create(store: MemoryStore, alias?: NewEntry): Promise<void> {
  const token = { tokenHash: "aa", expiresAt: NOW + 60, now: NOW, actor: "uid:0" };
  await store.write("createJoinToken", alias === undefined ? token : { ...token, alias });
}

async function claim(store: MemoryStore, key: string, now: number = NOW): Promise<JoinTokenRecord> {
  const input = { tokenHash: "aa", publicKeyHash: key, now };
  return (await store.write("claimJoinToken", input)).output;
}

describe("join tokens", () => {
  it("belong to the key that claims them first, as often as it comes", async () => {
    using store = await MemoryStore.open();
    await create(store);
    assert.equal((await claim(store, "k1")).publicKeyHash, "k1");
    const { revision } = store;
    assert.equal((await claim(store, "k1")).publicKeyHash, "k1");
    assert.equal(store.revision, revision);
    await assert.rejects(claim(store, "k2"), UNKNOWN);
  });

  it("go to one of two keys that claim them at once", async () => {
    using store = await MemoryStore.open();
    await create(store);
    const claims = await Promise.allSettled([claim(store, "k1"), claim(store, "k2")]);
    assert.deepEqual(
      claims.map(({ status }) => status),
      ["fulfilled", "rejected"],
    );
  });

  it("end with the first use of the certificate, for every key", async () => {
    using store = await MemoryStore.open();
    await create(store);
    await claim(store, "k1");
    await store.write("finishJoinToken", { tokenHash: "aa" });
    await store.write("finishJoinToken", { tokenHash: "aa" });
    await assert.rejects(claim(store, "k1"), UNKNOWN);
  });

  it("are worth nothing from their expiry on", async () => {
    using store = await MemoryStore.open();
    await create(store);
    await claim(store, "k1", NOW + 59);
    await assert.rejects(claim(store, "k1", NOW + 60), {
      code: Status.INVALID_ARGUMENT,
      reason: "join_token_expired",
      message: "join token expired",
    });
    // Whoever holds another key learns nothing from the expiry.
    await assert.rejects(claim(store, "k2", NOW + 60), UNKNOWN);
  });

  it("are not told from such as never were", async () => {
    using store = await MemoryStore.open();
    await assert.rejects(claim(store, "k1"), UNKNOWN);
  });

  it("bring their alias entry in the same transaction", async () => {
    using store = await MemoryStore.open();
    await create(store, newEntry("alias"));
    assert.equal((await store.read("getEntry", { id: "alias" }))?.entry.side.createdBy, "uid:0");
    const twin = { ...newEntry("alias"), id: "twin" };
    const again = { tokenHash: "bb", expiresAt: NOW + 60, alias: twin, now: NOW, actor: "uid:0" };
    await assert.rejects(store.write("createJoinToken", again), {
      code: Status.ALREADY_EXISTS,
      message: "alias of the join token: similar entry already exists",
    });
    assert.equal(await store.read("getJoinToken", { tokenHash: "bb" }), undefined);
  });

  it("are not made twice", async () => {
    using store = await MemoryStore.open();
    await create(store);
    await assert.rejects(create(store), {
      code: Status.ALREADY_EXISTS,
      message: "join token already exists",
    });
  });
});
