import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, mergeFromBinary } from "@bufbuild/protobuf";
import { refused } from "../../test/support/refused.ts";
import {
  FederatesWithMatch_MatchBehavior,
  FederatesWithMatchSchema,
} from "../gen/spire/api/types/federateswith_pb.ts";
import {
  SelectorMatch_MatchBehavior,
  SelectorMatchSchema,
  SelectorSchema,
} from "../gen/spire/api/types/selector_pb.ts";
import {
  decodeFederatesWithFilter,
  decodeSelectorFilter,
  decodeSelectors,
  encodeSelector,
  MAX_SELECTORS,
} from "./selector.ts";

// Field 2, a varint, in both filters; callers may send numbers that the enum does not have.
const MATCH_IS_4 = Uint8Array.of(0x10, 4);

function wire(type: string, value: string) {
  return create(SelectorSchema, { type, value });
}

describe("decodeSelectors", () => {
  it("gives the canonical list, which is written back as it is", () => {
    const decoded = decodeSelectors("selectors", [
      wire("unix", "uid:1"),
      wire("k8s", "ns:a"),
      wire("unix", "uid:1"),
    ]);
    assert.deepEqual(decoded, [
      { type: "k8s", value: "ns:a" },
      { type: "unix", value: "uid:1" },
    ]);
    assert.deepEqual(decoded.map(encodeSelector), [wire("k8s", "ns:a"), wire("unix", "uid:1")]);
  });

  const bad = [
    ["", "v", "entry.selectors[1].type: must not be empty"],
    ["a:b", "v", "entry.selectors[1].type: must not contain a colon"],
    ["a", "", "entry.selectors[1].value: must not be empty"],
    ["a", "v\0", "entry.selectors[1].value: must not contain a NUL character"],
    ["a".repeat(65), "v", "entry.selectors[1].type: must not be longer than 64 bytes"],
    ["a", "v".repeat(4097), "entry.selectors[1].value: must not be longer than 4096 bytes"],
  ] as const;
  for (const [type, value, message] of bad) {
    it(`refuses with "${message}"`, () => {
      const list = [wire("unix", "uid:1"), wire(type, value)];
      assert.throws(() => decodeSelectors("entry.selectors", list), refused(message));
    });
  }

  it("refuses more than its limit before it looks at any", () => {
    const list = Array.from({ length: 10_000 }, () => wire("", ""));
    assert.throws(
      () => decodeSelectors("entry.selectors", list),
      refused(`entry.selectors: has 10000 items, at most ${MAX_SELECTORS} are allowed`),
    );
  });
});

describe("decodeSelectorFilter", () => {
  it("knows the four comparisons", () => {
    const names = Object.values(SelectorMatch_MatchBehavior).map((match) => {
      const message = create(SelectorMatchSchema, { selectors: [wire("a", "b")], match });
      return decodeSelectorFilter("by", message).match;
    });
    assert.deepEqual(names, ["exact", "subset", "superset", "any"]);
  });

  it("refuses an unknown comparison and an empty set", () => {
    const unknown = create(SelectorMatchSchema, { selectors: [wire("a", "b")] });
    mergeFromBinary(SelectorMatchSchema, unknown, MATCH_IS_4);
    assert.throws(
      () => decodeSelectorFilter("by", unknown),
      refused("by.match: is not a known comparison"),
    );
    assert.throws(
      () => decodeSelectorFilter("by", create(SelectorMatchSchema)),
      refused("by.selectors: must not be empty"),
    );
  });
});

describe("decodeFederatesWithFilter", () => {
  it("reads trust domains and comparison", () => {
    const message = create(FederatesWithMatchSchema, {
      trustDomains: ["spiffe://b.test", "a.test"],
      match: FederatesWithMatch_MatchBehavior.MATCH_ANY,
    });
    const filter = decodeFederatesWithFilter("by", message);
    assert.equal(filter.match, "any");
    assert.deepEqual(filter.trustDomains.map(String), ["a.test", "b.test"]);
  });

  it("refuses an unknown comparison and an empty set", () => {
    const unknown = create(FederatesWithMatchSchema, { trustDomains: ["a.test"] });
    mergeFromBinary(FederatesWithMatchSchema, unknown, MATCH_IS_4);
    assert.throws(
      () => decodeFederatesWithFilter("by", unknown),
      refused("by.match: is not a known comparison"),
    );
    assert.throws(
      () => decodeFederatesWithFilter("by", create(FederatesWithMatchSchema)),
      refused("by.trust_domains: must not be empty"),
    );
  });
});
