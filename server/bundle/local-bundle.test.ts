import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { MemoryStore } from "../../test/fakes/memory-store.ts";
import type { KeyAuthorityRecord } from "../store/records.ts";
import { appendKey, removeKey } from "./bundle-change.ts";
import { LocalBundle, type LocalBundleDeps } from "./local-bundle.ts";

const trustDomain = TrustDomain.parse("a.test");

function open(store: MemoryStore, refreshHintSeconds = 300): Promise<LocalBundle> {
  return LocalBundle.open({ store, trustDomain, refreshHintSeconds });
}

function key(keyId: string): KeyAuthorityRecord {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKeyDer = publicKey.export({ format: "der", type: "spki" });
  return { keyId, publicKeyDer, expiresAt: 1_900_000_000, tainted: false };
}

describe("LocalBundle", () => {
  it("is empty at first, and raises its sequence with each change", async () => {
    using store = await MemoryStore.open();
    using bundle = await open(store);
    assert.equal(bundle.feed.value.sequence, 0n);
    await bundle.change(appendKey("jwtAuthorities", key("a")));
    await bundle.change(appendKey("witAuthorities", key("b")));
    const { sequence, jwtAuthorities, witAuthorities, refreshHintSeconds } = bundle.feed.value;
    assert.deepEqual([sequence, refreshHintSeconds], [2n, 300]);
    assert.deepEqual([[...jwtAuthorities.keys()], [...witAuthorities.keys()]], [["a"], ["b"]]);
    assert.equal(jwtAuthorities.get("a")?.expiresAt?.getTime(), 1_900_000_000_000);
  });

  it("keeps its sequence when nothing changes", async () => {
    using store = await MemoryStore.open();
    using bundle = await open(store);
    const one = key("a");
    await bundle.change(appendKey("jwtAuthorities", one));
    await bundle.change(appendKey("jwtAuthorities", one));
    await bundle.change(removeKey("jwtAuthorities", "nobody"));
    assert.equal(bundle.feed.value.sequence, 1n);
  });

  it("goes on where it was after a restart", async () => {
    using store = await MemoryStore.open();
    using first = await open(store);
    await first.change(appendKey("jwtAuthorities", key("a")));
    using second = await open(store, 60);
    assert.ok(second.feed.value.equals(first.feed.value));
    await second.change(appendKey("jwtAuthorities", key("b")));
    assert.deepEqual([second.feed.value.sequence, second.feed.value.refreshHintSeconds], [2n, 60]);
  });

  it("goes far ahead after a backup was restored, so that nobody takes the bundle for an old one", async () => {
    using store = await MemoryStore.open();
    using first = await open(store);
    await first.change(appendKey("jwtAuthorities", key("a")));
    const restored: LocalBundleDeps["store"] = {
      incarnation: "0195f1a0-0000-7000-8000-000000000002",
      read: (operation, input) => store.read(operation, input),
      write: (operation, input) => store.write(operation, input),
      onCommit: (listener) => store.onCommit(listener),
    };
    for (let start = 0; start < 2; start++) {
      using second = await LocalBundle.open({
        store: restored,
        trustDomain,
        refreshHintSeconds: 1,
      });
      assert.equal(second.feed.value.sequence, 1n + 2n ** 20n);
      assert.deepEqual([...second.feed.value.jwtAuthorities.keys()], ["a"]);
    }
  });

  it("makes changes one after another, each on what the one before left", async () => {
    using store = await MemoryStore.open();
    using bundle = await open(store);
    const ids = Array.from({ length: 10 }, (_, n) => `k${n}`);
    await Promise.all(ids.map((id) => bundle.change(appendKey("jwtAuthorities", key(id)))));
    assert.deepEqual([...bundle.feed.value.jwtAuthorities.keys()], ids);
    assert.equal(bundle.feed.value.sequence, 10n);
  });

  it("keeps what it was when the store fails, and takes the next change", async () => {
    using store = await MemoryStore.open();
    using bundle = await open(store);
    store.fault = { message: "disk I/O error", reason: "store_io" };
    await assert.rejects(bundle.change(appendKey("jwtAuthorities", key("a"))));
    assert.equal(bundle.feed.value.sequence, 0n);
    store.fault = undefined;
    await bundle.change(appendKey("jwtAuthorities", key("b")));
    assert.deepEqual([...bundle.feed.value.jwtAuthorities.keys()], ["b"]);
  });

  it("follows a change that another part made in the store, but never backwards", async () => {
    using store = await MemoryStore.open();
    using bundle = await open(store);
    await bundle.change(appendKey("jwtAuthorities", key("a")));
    const newer = { ...bundle.record, sequence: 9n, jwtAuthorities: [key("z")] };
    await store.write("writeBundles", { bundles: [newer], mode: "set" });
    assert.deepEqual([...bundle.feed.value.jwtAuthorities.keys()], ["z"]);
    await store.write("writeBundles", { bundles: [{ ...newer, sequence: 3n }], mode: "set" });
    assert.equal(bundle.feed.value.sequence, 9n);
  });
});
