import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseSelectorsText } from "../../../../proto/selector.ts";
import { Status } from "../../../../runtime/errors/status-error.ts";
import { MemoryStore } from "../../../../test/fakes/memory-store.ts";
import { newEntry, selector } from "../../../../test/support/entries.ts";
import type { Commit } from "../../commit.ts";
import type { EntryUpdate, NewEntry } from "../../contract/entries.ts";
import type { ItemResult } from "../../contract/operation.ts";
import { entriesOfPage } from "../../contract/scanned-entries.ts";
import type { BundleRecord, EntryRecord } from "../../records.ts";

const NOW = 1_772_366_400;

function bundle(trustDomain: string): BundleRecord {
  return {
    trustDomain,
    x509Authorities: [],
    jwtAuthorities: [],
    witAuthorities: [],
    refreshHintSeconds: 0,
    sequence: 1n,
  };
}

async function create(
  store: MemoryStore,
  ...entries: readonly NewEntry[]
): Promise<readonly ItemResult<EntryRecord>[]> {
  return (await store.write("createEntries", { entries, now: NOW, actor: "uid:0" })).output;
}

async function update(
  store: MemoryStore,
  id: string,
  set: EntryUpdate["set"],
): Promise<ItemResult<EntryRecord> | undefined> {
  return (await store.write("updateEntries", { updates: [{ id, set }], actor: "uid:7" })).output[0];
}

function brief(result: ItemResult<EntryRecord> | undefined): unknown {
  return result?.ok === false
    ? { code: result.code, message: result.message, item: result.item?.id }
    : result?.item.id;
}

describe("createEntries", () => {
  it("keeps every field and sets what the store sets", async () => {
    using store = await MemoryStore.open();
    await store.write("writeBundles", { bundles: [bundle("a.test")], mode: "set" });
    const entry = newEntry("full", {
      selectors: ["unix:uid:1000", "k8s:ns:shop"].map(selector),
      x509SvidTtlSeconds: 600,
      jwtSvidTtlSeconds: 60,
      federatesWith: ["a.test"],
      admin: true,
      downstream: true,
      storeSvid: true,
      expiresAt: NOW + 60,
      dnsNames: ["z.example.test", "a.example.test"],
      hint: "web",
      disableX509SvidPrefetch: true,
      jwtSvidIncludeJti: true,
      allowedAudiences: ["shop"],
      jwtAlgorithm: "RS256",
      instanceScope: "container",
      side: {
        owner: "team-shop",
        purpose: "checkout",
        labels: { tier: "front" },
        ticket: "OPS-1",
        reviewBy: NOW + 86_400,
        createdBy: "a forger",
        updatedBy: "a forger",
        origin: {
          kind: "ClusterSPIFFEID",
          cluster: "prod",
          namespace: "shop",
          name: "web",
          uid: "u",
          generation: 3,
        },
      },
    });
    const [created] = await create(store, entry);
    const expected: EntryRecord = {
      ...entry,
      selectors: ["k8s:ns:shop", "unix:uid:1000"].map(selector),
      revisionNumber: 0,
      createdAt: NOW,
      side: { ...entry.side, createdBy: "uid:0", updatedBy: "uid:0" },
    };
    assert.deepEqual(created, { ok: true, item: expected });
    assert.deepEqual(await store.read("getEntry", { id: "full" }), {
      entry: expected,
      usage: { lastIssuedAt: 0, lastDeliveredAt: 0 },
    });
    const { side: _, ...authorized } = expected;
    const scanned = await store.read("scanEntries", { pageSize: 10 });
    const [one, ...others] = [...entriesOfPage(scanned)].map((each) => {
      const { selectorsText, terms, ...own } = each;
      return { ...own, ...terms, selectors: parseSelectorsText(selectorsText) };
    });
    assert.deepEqual(one, authorized);
    assert.equal(others.length, 0);
  });

  it("answers a duplicate with the existing entry, whatever the order of its selectors", async () => {
    using store = await MemoryStore.open();
    const selectors = ["unix:uid:1", "unix:gid:2"].map(selector);
    const first = newEntry("first", { selectors });
    await create(store, first);
    const twin = { ...first, id: "twin", selectors: selectors.toReversed() };
    const [again] = await create(store, twin);
    assert.deepEqual(brief(again), {
      code: Status.ALREADY_EXISTS,
      message: "similar entry already exists",
      item: "first",
    });
  });

  it("finds duplicates and taken IDs inside one batch, and creates the rest", async () => {
    using store = await MemoryStore.open();
    const one = newEntry("one");
    const results = await create(
      store,
      one,
      { ...one, id: "twin" },
      newEntry("one", { spiffeId: "spiffe://example.test/else" }),
      newEntry("two"),
    );
    assert.deepEqual(results.map(brief), [
      "one",
      { code: Status.ALREADY_EXISTS, message: "similar entry already exists", item: "one" },
      {
        code: Status.ALREADY_EXISTS,
        message: "an entry with this id already exists",
        item: "one",
      },
      "two",
    ]);
    assert.equal(await store.read("countEntries", { filter: {} }), 2);
  });

  it("refuses to federate with a trust domain whose bundle is not known", async () => {
    using store = await MemoryStore.open();
    const [result] = await create(store, newEntry("a", { federatesWith: ["b.test"] }));
    assert.deepEqual(brief(result), {
      code: Status.INVALID_ARGUMENT,
      message: 'federates_with: no bundle of "b.test" is known; set it first',
      item: undefined,
    });
  });

  it("takes large batches of any size", async () => {
    using store = await MemoryStore.open();
    const entries = Array.from({ length: 1237 }, (_, index) => newEntry(`e${index}`));
    const results = await create(store, ...entries);
    assert.ok(results.every(({ ok }) => ok));
    assert.equal(await store.read("countEntries", { filter: {} }), 1237);
  });
});

describe("updateEntries", () => {
  it("sets what is named, keeps the rest, and counts the revision up", async () => {
    using store = await MemoryStore.open();
    await create(store, newEntry("a", { hint: "old", dnsNames: ["a.example.test"] }));
    const result = await update(store, "a", { hint: "new", side: { owner: "team" } });
    assert.ok(result?.ok);
    const { hint, dnsNames, revisionNumber, createdAt, side } = result.item;
    assert.deepEqual(
      { hint, dnsNames, revisionNumber, createdAt },
      { hint: "new", dnsNames: ["a.example.test"], revisionNumber: 1, createdAt: NOW },
    );
    assert.deepEqual([side.owner, side.createdBy, side.updatedBy], ["team", "uid:0", "uid:7"]);
    assert.deepEqual((await store.read("getEntry", { id: "a" }))?.entry, result.item);
  });

  it("finds the entry by its new selectors and no longer by the old", async () => {
    using store = await MemoryStore.open();
    await create(store, newEntry("a", { selectors: [selector("unix:uid:1")] }));
    await update(store, "a", { selectors: [selector("unix:uid:2")] });
    const count = (text: string): Promise<number> =>
      store.read("countEntries", {
        filter: { bySelectors: { match: "any", selectors: [selector(text)] } },
      });
    assert.deepEqual([await count("unix:uid:1"), await count("unix:uid:2")], [0, 1]);
  });

  it("refuses to make an entry the duplicate of another", async () => {
    using store = await MemoryStore.open();
    const one = newEntry("one");
    await create(store, one, newEntry("two"));
    assert.deepEqual(brief(await update(store, "two", { spiffeId: one.spiffeId })), {
      code: Status.ALREADY_EXISTS,
      message: "similar entry already exists",
      item: "one",
    });
    assert.equal((await store.read("getEntry", { id: "two" }))?.entry.revisionNumber, 0);
  });

  it("leaves an entry alone that is not what the caller has seen", async () => {
    using store = await MemoryStore.open();
    await create(store, newEntry("a"));
    await update(store, "a", { hint: "theirs" });
    const updates = [{ id: "a", expectedRevision: 0, set: { hint: "ours" } }];
    const { output } = await store.write("updateEntries", { updates, actor: "uid:7" });
    const changed = { code: Status.ABORTED, message: "entry changed meanwhile", item: "a" };
    assert.deepEqual(output.map(brief), [changed]);
    const expectedRevisions = new Map([["a", 0]]);
    const deletion = await store.write("deleteEntries", { ids: ["a"], expectedRevisions });
    assert.deepEqual(deletion.output.map(brief), [changed]);
    assert.equal((await store.read("getEntry", { id: "a" }))?.entry.hint, "theirs");
  });

  it("does not find what does not exist", async () => {
    using store = await MemoryStore.open();
    assert.deepEqual(brief(await update(store, "none", {})), {
      code: Status.NOT_FOUND,
      message: "entry not found",
      item: undefined,
    });
    assert.equal(store.revision, 0n);
  });
});

describe("deleteEntries", () => {
  it("answers with the entry as it was, and leaves nothing that finds it", async () => {
    using store = await MemoryStore.open();
    await store.write("writeBundles", { bundles: [bundle("a.test")], mode: "set" });
    await create(store, newEntry("a", { federatesWith: ["a.test"] }));
    const { output } = await store.write("deleteEntries", { ids: ["a", "a", "none"] });
    assert.deepEqual(output.map(brief), [
      "a",
      { code: Status.NOT_FOUND, message: "entry not found", item: undefined },
      { code: Status.NOT_FOUND, message: "entry not found", item: undefined },
    ]);
    for (const table of ["entries", "entry_selectors", "entry_federations"]) {
      assert.equal(store.handle.prepare(`select count(*) from ${table}`).pluck().get(), 0, table);
    }
  });
});

describe("deleteExpiredEntries", () => {
  it("ends those whose time is up, the oldest first, as many as are asked for", async () => {
    using store = await MemoryStore.open();
    await create(
      store,
      newEntry("never"),
      newEntry("later", { expiresAt: NOW + 1 }),
      newEntry("second", { expiresAt: NOW }),
      newEntry("first", { expiresAt: NOW - 5 }),
    );
    const commits: Commit[] = [];
    using _ = store.onCommit((commit) => commits.push(commit));
    const expire = async (): Promise<number> =>
      (await store.write("deleteExpiredEntries", { now: NOW, limit: 1 })).output;
    assert.deepEqual([await expire(), await expire(), await expire()], [1, 1, 0]);
    assert.deepEqual(
      commits.flatMap(({ changes }) => changes.map(({ id, action }) => [id, action])),
      [
        ["first", "expire"],
        ["second", "expire"],
      ],
    );
    assert.equal(await store.read("nextEntryExpiry", {}), NOW + 1);
    const expired = await store.read("recentlyExpiredEntries", { limit: 10 });
    assert.deepEqual(
      expired.map(({ id, expiresAt }) => [id, expiresAt]),
      [
        ["second", NOW],
        ["first", NOW - 5],
      ],
    );
  });
});

describe("recordEntryUse", () => {
  it("raises the instants without a revision, and never lowers them", async () => {
    using store = await MemoryStore.open();
    await create(store, newEntry("a"));
    const use = (at: number) => [{ entryId: "a", at }];
    await store.write("recordEntryUse", { issued: use(NOW + 5), delivered: use(NOW + 6) });
    const { revision } = await store.write("recordEntryUse", {
      issued: [...use(NOW + 1), { entryId: "none", at: NOW }],
      delivered: [],
    });
    assert.equal(revision, 1n);
    assert.deepEqual((await store.read("getEntry", { id: "a" }))?.usage, {
      lastIssuedAt: NOW + 5,
      lastDeliveredAt: NOW + 6,
    });
  });
});

describe("entriesNearSelectors", () => {
  it("finds an old entry by its rare selector, and counts the one that every entry has", async () => {
    using store = await MemoryStore.open();
    const common = selector("k8s:ns:shop");
    const rare = selector("unix:uid:4711");
    await create(store, newEntry("wanted", { selectors: [common, rare] }));
    const others = Array.from({ length: 300 }, (_, i) =>
      newEntry(`other-${i}`, { selectors: [common, selector(`unix:uid:${i}`)] }),
    );
    await create(store, ...others);
    const near = await store.read("entriesNearSelectors", { selectors: [common, rare], limit: 5 });
    assert.deepEqual(
      near.map(({ selectors }) => selectors.length),
      [2, 2, 2, 2, 2],
    );
    assert.match(near[0]?.spiffeId ?? "", /wanted$/);
  });
});
