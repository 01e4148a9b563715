import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ActualEntry, type DesiredEntry, podUidSelector } from "./desired-entry.ts";
import { changesOf, EntryBook, ListedEntries } from "./entry-book.ts";

function entry(path: string, resource = "a", changes: Partial<DesiredEntry> = {}): DesiredEntry {
  return {
    spiffeId: `spiffe://example.test${path}`,
    parentId: "spiffe://example.test/spire/agent/k8s_psat/east/n",
    selectors: [podUidSelector("p")],
    x509SvidTtlSeconds: 0,
    jwtSvidTtlSeconds: 0,
    federatesWith: [],
    admin: false,
    downstream: false,
    storeSvid: false,
    dnsNames: [],
    hint: "",
    owner: "",
    labels: {},
    origin: {
      kind: "ClusterSPIFFEID",
      cluster: "east",
      namespace: "",
      name: resource,
      uid: resource,
      generation: 1,
    },
    ...changes,
  };
}

function changes(desired: readonly DesiredEntry[], had: readonly DesiredEntry[]) {
  const book = new EntryBook();
  for (const [index, each] of had.entries()) book.put(`e${index}`, each);
  const { create, update, remove } = changesOf(desired, book.of("pod:p"));
  const path = ({ spiffeId }: DesiredEntry): string =>
    spiffeId.slice("spiffe://example.test".length);
  return {
    create: create.map(path),
    update: update.map((each: ActualEntry) => `${each.id} ${path(each)}`),
    remove,
  };
}

describe("changesOf", () => {
  it("asks for nothing when all is as it is to be, whatever the generation", () => {
    const origin = { ...entry("/a").origin, generation: 9 };
    assert.deepEqual(changes([entry("/a", "a", { origin })], [entry("/a")]), {
      create: [],
      update: [],
      remove: [],
    });
  });

  it("changes the entry of a resource in place", () => {
    assert.deepEqual(changes([entry("/b")], [entry("/a")]), {
      create: [],
      update: ["e0 /b"],
      remove: [],
    });
  });

  it("hands an entry over to another resource that wants the same", () => {
    assert.deepEqual(changes([entry("/a", "b")], [entry("/a", "a")]), {
      create: [],
      update: ["e0 /a"],
      remove: [],
    });
  });

  it("lets two resources swap without meeting", () => {
    const wanted = [entry("/b", "a"), entry("/a", "b")];
    assert.deepEqual(changes(wanted, [entry("/a", "a"), entry("/b", "b")]), {
      create: [],
      update: ["e1 /b", "e0 /a"],
      remove: [],
    });
  });

  it("creates what is new and removes what nobody wants", () => {
    assert.deepEqual(changes([entry("/b", "b")], [entry("/a", "a")]), {
      create: ["/b"],
      update: [],
      remove: ["e0"],
    });
  });
});

describe("EntryBook", () => {
  it("counts entries and groups", () => {
    const book = new EntryBook();
    book.put("1", entry("/a"));
    book.put("2", entry("/b", "b"));
    book.put("1", entry("/c"));
    assert.deepEqual([book.size, book.groupCount], [2, 1]);
    book.drop("pod:p", "1");
    book.drop("pod:p", "2");
    assert.deepEqual([book.size, [...book.groups]], [0, []]);
  });
});

describe("ListedEntries", () => {
  it("knows of which clusters and kinds the entries are", () => {
    const listed = new ListedEntries();
    const labels = { "assay.dev/cluster-uid": "u" };
    listed.add([{ ...entry("/a", "a", { labels }), id: "1" }]);
    assert.deepEqual([[...listed.clusterUids], [...listed.kinds]], [["u"], ["ClusterSPIFFEID"]]);
  });
});
