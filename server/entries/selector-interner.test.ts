import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SelectorInterner } from "./selector-interner.ts";

describe("SelectorInterner", () => {
  it("gives the same object for equal selectors, and never one for another", () => {
    const interner = new SelectorInterner();
    const first = interner.intern({ type: "k8s", value: "ns:a" });
    assert.deepEqual(first, { type: "k8s", value: "ns:a" });
    assert.equal(interner.intern({ type: "k8s", value: "ns:a" }), first);
    for (const other of [
      { type: "k8s", value: "ns:b" },
      { type: "unix", value: "ns:a" },
      { type: "k8s:ns", value: "a" },
    ]) {
      assert.deepEqual(interner.intern(other), other);
    }
  });

  it("forgets when it is full, and stays true", () => {
    const interner = new SelectorInterner(2);
    const [a, b] = ["a", "b"].map((value) => interner.intern({ type: "x", value }));
    assert.deepEqual(
      [a, b],
      [
        { type: "x", value: "a" },
        { type: "x", value: "b" },
      ],
    );
    const again = interner.intern({ type: "x", value: "a" });
    assert.notEqual(again, a);
    assert.deepEqual(again, a);
    assert.equal(interner.intern({ type: "x", value: "a" }), again);
  });
});
