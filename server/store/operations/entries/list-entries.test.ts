import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { matchesSet, type SetMatch, selectorKey } from "../../../../proto/selector.ts";
import { Status } from "../../../../runtime/errors/status-error.ts";
import { MemoryStore } from "../../../../test/fakes/memory-store.ts";
import { newEntry, selector } from "../../../../test/support/entries.ts";
import type { ListEntriesFilter, NewEntry } from "../../contract/entries.ts";
import type { BundleRecord } from "../../records.ts";

const NOW = 1_772_366_400;
const DOMAINS = ["a.test", "b.test", "c.test"];
const SELECTORS = ["x:1", "x:2", "y:1"].map(selector);
const MATCHES: readonly SetMatch[] = ["exact", "subset", "superset", "any"];

async function open(entries: readonly NewEntry[]): Promise<MemoryStore> {
  const store = await MemoryStore.open();
  const bundles = DOMAINS.map(
    (trustDomain): BundleRecord => ({
      trustDomain,
      x509Authorities: [],
      jwtAuthorities: [],
      witAuthorities: [],
      refreshHintSeconds: 0,
      sequence: 0n,
    }),
  );
  await store.write("writeBundles", { bundles, mode: "set" });
  const { output } = await store.write("createEntries", { entries, now: NOW, actor: "test" });
  assert.ok(output.every(({ ok }) => ok));
  return store;
}

function originIn(cluster: string) {
  return { kind: "ClusterSPIFFEID", cluster, namespace: "", name: "x", uid: "1", generation: 1 };
}

/** All pages of a list, each of `pageSize`. */
async function list(
  store: MemoryStore,
  filter: ListEntriesFilter,
  pageSize = 2,
): Promise<readonly string[]> {
  const ids: string[] = [];
  let pageToken: string | undefined;
  do {
    const page = await store.read("listEntries", {
      filter,
      page: pageToken === undefined ? { pageSize } : { pageSize, pageToken },
    });
    assert.ok(page.items.length <= pageSize);
    ids.push(...page.items.map(({ entry }) => entry.id));
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  assert.equal(await store.read("countEntries", { filter }), ids.length);
  return ids;
}

describe("listEntries", () => {
  it("lists by creation, page by page, each once", async () => {
    const ids = Array.from({ length: 7 }, (_, index) => `e${index}`);
    using store = await open(ids.map((id) => newEntry(id)));
    for (const pageSize of [1, 2, 3, 7, 8]) assert.deepEqual(await list(store, {}, pageSize), ids);
  });

  it("ends without a token when the last page is full", async () => {
    using store = await open([newEntry("a"), newEntry("b")]);
    const page = await store.read("listEntries", { filter: {}, page: { pageSize: 2 } });
    assert.equal(page.nextPageToken, undefined);
  });

  it("filters by every field", async () => {
    const parentId = "spiffe://example.test/parent";
    using store = await open([
      newEntry("plain"),
      newEntry("child", { parentId }),
      newEntry("hinted", { hint: "web" }),
      newEntry("down", { downstream: true }),
      newEntry("owned", { side: { ...newEntry("").side, owner: "team" } }),
      newEntry("made", { side: { ...newEntry("").side, origin: originIn("east") } }),
    ]);
    assert.deepEqual(await list(store, { bySpiffeId: "spiffe://example.test/child" }), ["child"]);
    assert.deepEqual(await list(store, { byParentId: parentId }), ["child"]);
    assert.deepEqual(await list(store, { byHint: "web" }), ["hinted"]);
    assert.deepEqual(await list(store, { byDownstream: true }), ["down"]);
    assert.deepEqual(await list(store, { byOriginCluster: "east" }), ["made"]);
    assert.deepEqual(await list(store, { byOwner: "team" }), ["owned"]);
    assert.equal((await list(store, { byOwner: "" })).length, 5);
    assert.equal((await list(store, { byHint: "" })).length, 5);
    assert.deepEqual(await list(store, { byHint: "web", byDownstream: true }), []);
  });

  it("lists the children of a parent each once, however their IDs are shared", async () => {
    const parentId = "spiffe://example.test/parent";
    const children = Array.from({ length: 9 }, (_, index) =>
      newEntry(`c${index}`, {
        parentId,
        spiffeId: `spiffe://example.test/w${index % 2}`,
        selectors: [selector(`unix:uid:${index}`)],
      }),
    );
    using store = await open([...children, newEntry("other")]);
    const ids = await list(store, { byParentId: parentId });
    assert.deepEqual(ids.toSorted(), children.map(({ id }) => id).toSorted());
  });

  it("lists what was of no use since an instant, the longest first", async () => {
    using store = await open(["never", "long-ago", "lately"].map((id) => newEntry(id)));
    await store.write("recordEntryUse", {
      issued: [
        { entryId: "long-ago", at: NOW + 10 },
        { entryId: "lately", at: NOW + 100 },
      ],
      delivered: [],
    });
    assert.deepEqual(await list(store, { unusedSince: NOW + 50 }, 1), ["never", "long-ago"]);
    // Younger than the instant: it had no chance to be of use.
    assert.deepEqual(await list(store, { unusedSince: NOW - 50 }), []);
  });

  it("compares sets of selectors and of trust domains as the protocol says", async () => {
    const entryArbitrary = fc.record({
      selectors: fc.subarray(SELECTORS, { minLength: 1 }),
      federatesWith: fc.subarray(DOMAINS),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(entryArbitrary, { minLength: 1, maxLength: 12 }),
        fc.subarray(SELECTORS, { minLength: 1 }),
        fc.subarray(DOMAINS, { minLength: 1 }),
        async (fields, selectors, trustDomains) => {
          const entries = fields.map((field, index) => newEntry(`e${index}`, field));
          using store = await open(entries);
          for (const match of MATCHES) {
            const wanted = new Set(selectors.map(selectorKey));
            const bySelectors = entries.filter((entry) =>
              matchesSet(match, new Set(entry.selectors.map(selectorKey)), wanted),
            );
            const found = await list(store, { bySelectors: { match, selectors } }, 3);
            assert.deepEqual(found, idsOf(bySelectors), match);
            const names = new Set(trustDomains);
            const byNames = entries.filter((entry) =>
              matchesSet(match, new Set(entry.federatesWith), names),
            );
            const federated = await list(store, { byFederatesWith: { match, trustDomains } }, 3);
            assert.deepEqual(federated, idsOf(byNames), match);
          }
        },
      ),
      { seed: 3, numRuns: 25 },
    );
  });

  it("refuses a filter that names nothing, or too much, and tokens that are not its own", async () => {
    using store = await open([newEntry("a")]);
    const refuses = async (
      filter: ListEntriesFilter,
      message: string,
      pageToken?: string,
    ): Promise<void> => {
      const page = pageToken === undefined ? { pageSize: 1 } : { pageSize: 1, pageToken };
      await assert.rejects(store.read("listEntries", { filter, page }), {
        code: Status.INVALID_ARGUMENT,
        message,
      });
    };
    await refuses(
      { bySelectors: { match: "any", selectors: [] } },
      "by_selectors: at least one is required",
    );
    const many = Array.from({ length: 257 }, (_, index) => selector(`unix:uid:${index}`));
    await refuses(
      { bySelectors: { match: "any", selectors: many } },
      "by_selectors: at most 256 are allowed",
    );
    const tokens = ["", "x", "W10", "WyJ4Il0", "WzEsMl0", "bnVsbA", "A".repeat(5000)];
    for (const token of tokens) await refuses({}, "page_token: not a token of this list", token);
  });
});

describe("the plans of listEntries", () => {
  const filters: readonly (readonly [string, ListEntriesFilter, RegExp])[] = [
    ["no filter", {}, /^SEARCH e USING INTEGER PRIMARY KEY \(rowid>\?\)/],
    ["bySpiffeId", { bySpiffeId: "x" }, /^SEARCH e USING INDEX entries_spiffe_id/],
    ["byParentId", { byParentId: "x" }, /^SEARCH e USING INDEX entries_identity/],
    ["byHint", { byHint: "x" }, /^SEARCH e USING INDEX entries_hint/],
    ["byDownstream", { byDownstream: true }, /^SEARCH e USING INDEX entries_downstream/],
    ["byOwner", { byOwner: "" }, /^SEARCH e USING INDEX entries_owner/],
    ["byOriginCluster", { byOriginCluster: "x" }, /^SEARCH e USING INDEX entries_origin_cluster/],
    [
      "bySpiffeId before byHint",
      { bySpiffeId: "x", byHint: "" },
      /^SEARCH e USING INDEX entries_spiffe_id/,
    ],
    [
      "byDownstream before an empty byHint",
      { byDownstream: true, byHint: "", byOwner: "" },
      /^SEARCH e USING INDEX entries_downstream/,
    ],
    [
      "byParentId with bySpiffeId",
      { byParentId: "x", bySpiffeId: "y" },
      /^SEARCH e USING INDEX entries_identity \(parent_id=\? AND spiffe_id=\?/,
    ],
    ["unusedSince", { unusedSince: 1 }, /^SEARCH e USING INDEX entries_last_issued_at/],
    ...MATCHES.flatMap((match): [string, ListEntriesFilter, RegExp][] => [
      [
        `bySelectors ${match}`,
        { bySelectors: { match, selectors: SELECTORS.slice(0, 2) } },
        /^SEARCH e USING INTEGER PRIMARY KEY \(rowid=\?\).*SEARCH entry_selectors USING PRIMARY KEY/s,
      ],
      [
        `byFederatesWith ${match}`,
        { byFederatesWith: { match, trustDomains: DOMAINS.slice(0, 2) } },
        /^SEARCH e USING INTEGER PRIMARY KEY \(rowid=\?\).*SEARCH entry_federations USING PRIMARY KEY/s,
      ],
    ]),
  ];

  for (const [name, filter, expected] of filters) {
    it(`reads no more than the filter asks for: ${name}`, async () => {
      using store = await open(Array.from({ length: 20 }, (_, index) => newEntry(`e${index}`)));
      const first = await store.read("listEntries", { filter: {}, page: { pageSize: 1 } });
      const pageToken = first.nextPageToken ?? "";
      const isByKey = filter.byParentId === undefined && filter.unusedSince === undefined;
      const plans = await store.plansOf(() =>
        store.read("listEntries", {
          filter,
          page: isByKey ? { pageSize: 5, pageToken } : { pageSize: 5 },
        }),
      );
      // The last statement is the list itself; before it, the rarest member may have been looked for.
      assert.match(plans.at(-1) ?? "", expected);
      assert.doesNotMatch(plans.at(-1) ?? "", /SCAN/);
      if (!name.endsWith("subset")) assert.doesNotMatch(plans.at(-1) ?? "", /TEMP B-TREE/);
    });
  }
});

function idsOf(entries: readonly NewEntry[]): readonly string[] {
  return entries.map(({ id }) => id);
}
