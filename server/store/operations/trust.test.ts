import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "../../../runtime/errors/status-error.ts";
import { MemoryStore } from "../../../test/fakes/memory-store.ts";
import { newEntry } from "../../../test/support/entries.ts";
import type { BundleDeletion, BundleWrite } from "../contract/bundles.ts";
import type { ItemResult } from "../contract/operation.ts";
import type { AuthorityRecord, BundleRecord } from "../records.ts";

const NOW = 1_772_366_400;

function bundle(trustDomain: string, fields: Partial<BundleRecord> = {}): BundleRecord {
  return {
    trustDomain,
    x509Authorities: [{ certificateDer: Uint8Array.of(1, 2, 3), tainted: true }],
    jwtAuthorities: [
      { keyId: "j", publicKeyDer: Uint8Array.of(4), expiresAt: NOW, tainted: false },
    ],
    witAuthorities: [{ keyId: "w", publicKeyDer: Uint8Array.of(5), expiresAt: 0, tainted: true }],
    refreshHintSeconds: 300,
    sequence: 2n ** 64n - 1n,
    ...fields,
  };
}

async function write(
  store: MemoryStore,
  mode: BundleWrite,
  ...bundles: readonly BundleRecord[]
): Promise<readonly unknown[]> {
  return (await store.write("writeBundles", { bundles, mode })).output.map(brief);
}

async function remove(store: MemoryStore, mode: BundleDeletion): Promise<readonly unknown[]> {
  const input = { trustDomains: ["a.test"], mode };
  return (await store.write("deleteBundles", input)).output.map(brief);
}

function brief(result: ItemResult<BundleRecord>): unknown {
  return result.ok ? "done" : { code: result.code, message: result.message };
}

describe("writeBundles", () => {
  it("keeps every bit, up to the largest sequence number", async () => {
    using store = await MemoryStore.open();
    await write(store, "set", bundle("a.test"));
    assert.deepEqual(await store.read("getBundle", { trustDomain: "a.test" }), bundle("a.test"));
  });

  it("creates only what does not exist and updates only what does", async () => {
    using store = await MemoryStore.open();
    const a = bundle("a.test");
    assert.deepEqual(await write(store, "update", a), [
      { code: Status.NOT_FOUND, message: "bundle not found" },
    ]);
    assert.deepEqual(await write(store, "create", a, a), [
      "done",
      { code: Status.ALREADY_EXISTS, message: "bundle already exists" },
    ]);
    assert.deepEqual(await write(store, "update", bundle("a.test", { sequence: 0n })), ["done"]);
    assert.equal((await store.read("getBundle", { trustDomain: "a.test" }))?.sequence, 0n);
  });

  it("takes only the named fields of an update", async () => {
    using store = await MemoryStore.open();
    await write(store, "set", bundle("a.test"));
    const bundles = [
      bundle("a.test", { x509Authorities: [], refreshHintSeconds: 7, sequence: 1n }),
    ];
    await store.write("writeBundles", { bundles, mode: "update", fields: ["refreshHintSeconds"] });
    assert.deepEqual(
      await store.read("getBundle", { trustDomain: "a.test" }),
      bundle("a.test", { refreshHintSeconds: 7 }),
    );
  });

  it("changes nothing when nothing is new", async () => {
    using store = await MemoryStore.open();
    await write(store, "set", bundle("a.test"));
    await write(store, "set", bundle("a.test"));
    assert.equal(store.revision, 1n);
  });
});

describe("deleteBundles", () => {
  async function open(): Promise<MemoryStore> {
    const store = await MemoryStore.open();
    await write(store, "set", bundle("a.test"), bundle("b.test"));
    const entries = [
      newEntry("both", { federatesWith: ["a.test", "b.test"] }),
      newEntry("one", { federatesWith: ["b.test"] }),
    ];
    await store.write("createEntries", { entries, now: NOW, actor: "test" });
    return store;
  }

  it("refuses while entries federate with it", async () => {
    using store = await open();
    assert.deepEqual(await remove(store, "restrict"), [
      {
        code: Status.FAILED_PRECONDITION,
        message: "cannot delete bundle; federated with 1 registration entries",
      },
    ]);
    assert.notEqual(await store.read("getBundle", { trustDomain: "a.test" }), undefined);
  });

  it("deletes those entries with it", async () => {
    using store = await open();
    assert.deepEqual(await remove(store, "delete"), ["done"]);
    assert.equal(await store.read("getEntry", { id: "both" }), undefined);
    assert.notEqual(await store.read("getEntry", { id: "one" }), undefined);
  });

  it("takes the trust domain out of those entries, which agents hear of", async () => {
    using store = await open();
    assert.deepEqual(await remove(store, "dissociate"), ["done"]);
    const both = (await store.read("getEntry", { id: "both" }))?.entry;
    assert.deepEqual([both?.federatesWith, both?.revisionNumber], [["b.test"], 1]);
  });

  it("does not find what does not exist", async () => {
    using store = await MemoryStore.open();
    assert.deepEqual(await remove(store, "delete"), [
      { code: Status.NOT_FOUND, message: "bundle not found" },
    ]);
  });
});

describe("listBundles", () => {
  it("lists by name, page by page, without the one that is excepted", async () => {
    using store = await MemoryStore.open();
    await write(store, "set", ...["c.test", "a.test", "b.test"].map((name) => bundle(name)));
    const first = await store.read("listBundles", { except: "b.test", page: { pageSize: 1 } });
    const { nextPageToken: pageToken = "" } = first;
    const second = await store.read("listBundles", {
      except: "b.test",
      page: { pageSize: 1, pageToken },
    });
    const names = [first, second].flatMap(({ items }) => items.map((item) => item.trustDomain));
    assert.deepEqual(names, ["a.test", "c.test"]);
    assert.equal(second.nextPageToken, undefined);
    assert.equal(await store.read("countBundles", {}), 3);
  });
});

describe("changeAuthorities", () => {
  function authority(id: string, fields: Partial<AuthorityRecord> = {}): AuthorityRecord {
    return {
      id,
      kind: "x509",
      state: "prepared",
      keyRef: `key-${id}`,
      publicKeyDer: Uint8Array.of(1),
      certificateChainDer: [Uint8Array.of(2), Uint8Array.of(3)],
      upstreamAuthorityId: "",
      notBefore: NOW,
      notAfter: NOW + 100,
      createdAt: NOW,
      ...fields,
    };
  }

  it("changes authorities, their holders and the bundle together", async () => {
    using store = await MemoryStore.open();
    const own = bundle("example.test");
    const { revision } = await store.write("changeAuthorities", {
      put: [authority("b"), authority("a", { kind: "jwt", certificateChainDer: [] })],
      addHolders: [{ authorityId: "a", serverId: "s1" }],
      bundle: own,
    });
    assert.equal(revision, 1n);
    assert.deepEqual(await store.read("listAuthorities", {}), [
      authority("b"),
      authority("a", { kind: "jwt", certificateChainDer: [] }),
    ]);
    assert.deepEqual(await store.read("listAuthorities", { kind: "x509" }), [authority("b")]);
    assert.deepEqual(await store.read("listAuthorityHolders", {}), [
      { authorityId: "a", serverId: "s1" },
    ]);
    assert.deepEqual(await store.read("getBundle", { trustDomain: "example.test" }), own);
  });

  it("replaces an authority as a whole, and forgets one with its holders", async () => {
    using store = await MemoryStore.open();
    await store.write("changeAuthorities", {
      put: [authority("a")],
      addHolders: [{ authorityId: "a", serverId: "s1" }],
    });
    await store.write("changeAuthorities", { put: [authority("a", { state: "active" })] });
    assert.deepEqual(
      (await store.read("listAuthorities", {})).map(({ state }) => state),
      ["active"],
    );
    await store.write("changeAuthorities", { remove: ["a", "none"] });
    assert.deepEqual(await store.read("listAuthorities", {}), []);
    assert.deepEqual(await store.read("listAuthorityHolders", {}), []);
  });

  it("changes nothing when a part of it cannot be done", async () => {
    using store = await MemoryStore.open();
    const holder = { authorityId: "none", serverId: "s1" };
    await assert.rejects(
      store.write("changeAuthorities", { put: [authority("a")], addHolders: [holder] }),
    );
    assert.deepEqual(await store.read("listAuthorities", {}), []);
  });
});
