import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { authorizedEntry } from "../../../test/support/entries.ts";
import type { AuthorizedEntryRecord } from "../records.ts";
import { haveSameTerms, TERMS_NAMES, termsOf } from "./entry-terms.ts";

const lists = { federatesWith: ["a.test"], dnsNames: ["a", "b"] };

describe("haveSameTerms", () => {
  it("compares what the terms are, not who the entry is", () => {
    const a = authorizedEntry("a", structuredClone(lists));
    const b = authorizedEntry("b", { ...structuredClone(lists), revisionNumber: 3 });
    assert.ok(haveSameTerms(a, b));
    assert.deepEqual(termsOf(a), termsOf(b));
  });

  it("sees a difference in each part", () => {
    const record = authorizedEntry("a");
    for (const name of TERMS_NAMES) {
      const value = record[name];
      const other = Array.isArray(value) ? ["x"] : typeof value === "number" ? 1 : !value || "x";
      const changed: AuthorizedEntryRecord = { ...record, [name]: other };
      assert.ok(!haveSameTerms(record, changed), name);
    }
    const reordered = authorizedEntry("a", { dnsNames: ["b", "a"] });
    assert.ok(!haveSameTerms(authorizedEntry("a", { dnsNames: ["a", "b"] }), reordered));
  });

  it("knows every part of a record", () => {
    const own = ["id", "spiffeId", "parentId", "selectors", "revisionNumber", "createdAt"];
    assert.deepEqual([...TERMS_NAMES, ...own].sort(), Object.keys(authorizedEntry("a")).sort());
  });
});
