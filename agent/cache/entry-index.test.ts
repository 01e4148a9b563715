import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { cachedEntry } from "../../test/support/cached-entries.ts";
import type { CachedEntry } from "./entry.ts";
import { EntryIndex } from "./entry-index.ts";

const caller = (...values: readonly string[]) => values.map((value) => ({ type: "unix", value }));

const indexOf = (...entries: readonly CachedEntry[]): EntryIndex => {
  const index = new EntryIndex();
  for (const entry of entries) index.put(entry);
  return index;
};

const idsOf = (entries: readonly CachedEntry[]): readonly string[] => entries.map(({ id }) => id);

describe("EntryIndex", () => {
  it("finds the entries whose selectors the caller all has", () => {
    const index = indexOf(
      cachedEntry("a", ["uid:1"]),
      cachedEntry("b", ["uid:1", "gid:1"]),
      cachedEntry("c", ["uid:1", "gid:2"]),
    );
    assert.deepEqual(idsOf(index.matching(caller("uid:1", "gid:1"))), ["a", "b"]);
  });

  it("lists the oldest first, and by id where two are equally old", () => {
    const index = indexOf(
      cachedEntry("c", ["uid:1"], { createdAt: 5n }),
      cachedEntry("b", ["uid:1"], { createdAt: 9n }),
      cachedEntry("a", ["uid:1"], { createdAt: 9n }),
    );
    assert.deepEqual(idsOf(index.matching(caller("uid:1"))), ["c", "a", "b"]);
  });

  it("gives no one an entry without selectors, or one for a store elsewhere", () => {
    const index = indexOf(cachedEntry("a", []), cachedEntry("b", ["uid:1"], { storeSvid: true }));
    assert.deepEqual(index.matching(caller("uid:1")), []);
  });

  it("follows replacements and removals", () => {
    const index = indexOf(cachedEntry("a", ["uid:1"]), cachedEntry("b", ["uid:1"]));
    index.put(cachedEntry("a", ["uid:2"]));
    assert.equal(index.remove("b")?.id, "b");
    assert.equal(index.remove("b"), undefined);
    assert.deepEqual(index.matching(caller("uid:1")), []);
    assert.deepEqual(idsOf(index.matching(caller("uid:2"))), ["a"]);
    assert.equal(index.size, 1);
  });

  it("finds what comparing every entry finds", () => {
    const selectors = fc.uniqueArray(fc.constantFrom<string>("s1", "s2", "s3", "s4"), {
      maxLength: 3,
    });
    const changes = fc.array(fc.record({ id: fc.constantFrom("a", "b", "c", "d"), selectors }));
    fc.assert(
      fc.property(changes, selectors, (puts, held) => {
        const index = new EntryIndex();
        const all = new Map<string, CachedEntry>();
        for (const put of puts) {
          const entry = cachedEntry(put.id, put.selectors);
          index.put(entry);
          all.set(put.id, entry);
        }
        const expected = [...all.values()].filter(
          (entry) =>
            entry.selectors.length > 0 &&
            entry.selectors.every(({ value }) => held.includes(value)),
        );
        assert.deepEqual(new Set(idsOf(index.matching(caller(...held)))), new Set(idsOf(expected)));
      }),
    );
  });
});
