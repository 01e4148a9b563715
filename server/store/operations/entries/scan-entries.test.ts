import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { selectorsText } from "../../../../proto/selector.ts";
import { MemoryStore } from "../../../../test/fakes/memory-store.ts";
import { authorizedEntry, newEntry, selector } from "../../../../test/support/entries.ts";
import type { NewEntry } from "../../contract/entries.ts";
import {
  entriesOfPage,
  type ScannedEntries,
  type ScannedEntry,
} from "../../contract/scanned-entries.ts";

const NOW = 1_772_366_400;

async function open(entries: readonly NewEntry[]): Promise<MemoryStore> {
  const store = await MemoryStore.open();
  const { output } = await store.write("createEntries", { entries, now: NOW, actor: "test" });
  assert.ok(output.every(({ ok }) => ok));
  return store;
}

async function scan(store: MemoryStore, pageSize: number): Promise<ScannedEntries[]> {
  const pages: ScannedEntries[] = [];
  let page = await store.read("scanEntries", { pageSize });
  pages.push(page);
  while (page.nextPageToken !== undefined) {
    page = await store.read("scanEntries", { pageSize, pageToken: page.nextPageToken });
    pages.push(page);
  }
  return pages;
}

/** What an entry of a scan should be. */
function scanned(entry: NewEntry): ScannedEntry {
  const { side: _, id, spiffeId, parentId, selectors, ...terms } = entry;
  const own = { id, spiffeId, parentId, revisionNumber: 0, createdAt: NOW };
  return { ...own, selectorsText: selectorsText(selectors), terms };
}

describe("scanEntries", () => {
  it("gives each entry its own parent, selectors and terms, whatever the pages", async () => {
    const entries = Array.from({ length: 25 }, (_, n) =>
      newEntry(`entry-${n}`, {
        parentId: `spiffe://example.test/parent/${n % 3}`,
        selectors: [selector(`unix:uid:${n}`)],
        // Text that has to come back as it is, beside texts that look alike.
        hint: ["", '",0]', "\u001f\u2028\u{1f511}", "[]"][n % 4] ?? "",
        dnsNames: n % 5 === 0 ? [`n${n}.example.test`, 'a"b'] : [],
        admin: n % 2 === 0,
        x509SvidTtlSeconds: n % 7,
        expiresAt: n === 9 ? 4_102_444_800 : 0,
        instanceScope: n === 3 ? "pod" : "",
        jwtAlgorithm: n === 4 ? "RS256" : "",
      }),
    );
    using store = await open(entries);
    for (const pageSize of [1, 4, 24, 25, 100]) {
      const pages = await scan(store, pageSize);
      assert.equal(pages.length, Math.ceil(25 / pageSize));
      assert.deepEqual(
        pages.flatMap((page) => [...entriesOfPage(page)]),
        entries.map(scanned),
      );
    }
  });

  it("says once what the entries of a page have in common", async () => {
    using store = await open(
      Array.from({ length: 10 }, (_, n) => newEntry(`entry-${n}`, { admin: n === 7 })),
    );
    const [page] = await scan(store, 100);
    assert.deepEqual(page?.parentIds, ["spiffe://example.test/spire/agent/x509pop/node"]);
    assert.deepEqual(page?.termsPlaces, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    assert.deepEqual(
      page?.terms.map(({ admin }) => admin),
      [false, true],
    );
  });

  it("has one empty page of nothing", async () => {
    using store = await open([]);
    const pages = await scan(store, 100);
    assert.equal(pages.length, 1);
    assert.deepEqual(
      pages.flatMap((page) => [...entriesOfPage(page)]),
      [],
    );
  });
});

describe("entriesOfPage", () => {
  it("refuses columns that do not fit together", () => {
    const { id, spiffeId, selectors, parentId, revisionNumber, createdAt, ...terms } =
      authorizedEntry("one");
    const page: ScannedEntries = {
      ids: [id],
      spiffeIds: [spiffeId],
      selectors: [selectorsText(selectors)],
      revisionNumbers: [revisionNumber],
      createdAts: [createdAt],
      parentPlaces: [0],
      termsPlaces: [0],
      parentIds: [parentId],
      terms: [terms],
    };
    assert.equal([...entriesOfPage(page)].length, 1);
    for (const column of ["spiffeIds", "createdAts", "parentPlaces", "terms"] as const) {
      assert.throws(() => [...entriesOfPage({ ...page, [column]: [] })], /no whole entry 0/);
    }
  });
});
