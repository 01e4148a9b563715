import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  compareSelectors,
  matchesSet,
  parseSelector,
  type Selector,
  type SetMatch,
  selectorKey,
  selectorKeys,
  selectorSetDigest,
  sortSelectors,
} from "./selector.ts";

const selector: fc.Arbitrary<Selector> = fc.record(
  {
    type: fc.string({ minLength: 1 }).filter((type) => !type.includes(":")),
    value: fc.string({ minLength: 1 }),
  },
  { noNullPrototype: true },
);

describe("selectorKey", () => {
  it("is read back by parseSelector", () => {
    fc.assert(
      fc.property(selector, (one) => {
        assert.deepEqual(parseSelector(selectorKey(one)), one);
      }),
    );
  });
});

describe("parseSelector", () => {
  it("splits at the first colon", () => {
    assert.deepEqual(parseSelector("k8s:pod-label:app:web"), {
      type: "k8s",
      value: "pod-label:app:web",
    });
  });

  for (const text of ["", "unix", ":", "unix:", ":uid:0"]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.equal(parseSelector(text), undefined);
    });
  }
});

describe("sortSelectors", () => {
  it("gives one list for one set, whatever the order and repetitions", () => {
    const sets = fc.array(selector).chain((list) =>
      fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray([...list, ...list], {
          minLength: list.length * 2,
          maxLength: list.length * 2,
        }),
      ),
    );
    fc.assert(
      fc.property(sets, ([list, shuffled]) => {
        const sorted = sortSelectors(list);
        assert.deepEqual(sortSelectors(shuffled), sorted);
        assert.equal(sorted.length, selectorKeys(list).size);
        assert.deepEqual([...sorted].sort(compareSelectors), sorted);
        assert.equal(selectorSetDigest(shuffled), selectorSetDigest(list));
      }),
    );
  });
});

describe("selectorSetDigest", () => {
  it("tells sets apart whose keys join to the same text", () => {
    const one = [{ type: "a", value: "b6:c:d" }];
    const two = [
      { type: "a", value: "b" },
      { type: "c", value: "d" },
    ];
    assert.notEqual(selectorSetDigest(one), selectorSetDigest(two));
    assert.notEqual(selectorSetDigest([]), selectorSetDigest(one));
  });
});

describe("matchesSet", () => {
  const rows: readonly (readonly [
    SetMatch,
    record: readonly string[],
    wanted: readonly string[],
    boolean,
  ])[] = [
    ["exact", ["a", "b"], ["b", "a"], true],
    ["exact", ["a"], ["a", "b"], false],
    ["exact", ["a", "b"], ["a"], false],
    ["subset", ["a"], ["a", "b"], true],
    ["subset", ["a", "c"], ["a", "b"], false],
    ["subset", [], ["a"], false],
    ["superset", ["a", "b"], ["a"], true],
    ["superset", ["a"], ["a", "b"], false],
    ["superset", [], ["a"], false],
    ["any", ["a", "c"], ["a", "b"], true],
    ["any", ["c"], ["a", "b"], false],
    ["any", [], ["a"], false],
  ];
  for (const [match, record, wanted, expected] of rows) {
    it(`${match}: {${record}} against {${wanted}} is ${expected}`, () => {
      assert.equal(matchesSet(match, new Set(record), new Set(wanted)), expected);
    });
  }
});
