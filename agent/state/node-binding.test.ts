import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeBinding, readNodeFacts } from "./node-binding.ts";

const here = { machineId: "m1", bootId: "b1" };
const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe("nodeBinding", () => {
  it("is the same for the same node and boot", () => {
    assert.ok(isSame(nodeBinding(here, true), nodeBinding({ ...here }, true)));
  });

  it("tells nodes apart, in memory and on disk", () => {
    for (const inMemory of [true, false]) {
      const there = nodeBinding({ ...here, machineId: "m2" }, inMemory);
      assert.ok(!isSame(nodeBinding(here, inMemory), there));
    }
  });

  it("tells boots apart in memory, and survives them on disk", () => {
    const later = { ...here, bootId: "b2" };
    assert.ok(!isSame(nodeBinding(here, true), nodeBinding(later, true)));
    assert.ok(isSame(nodeBinding(here, false), nodeBinding(later, false)));
  });

  it("falls back on the boot where the machine has no id", () => {
    const one = { machineId: undefined, bootId: "b1" };
    const other = { machineId: undefined, bootId: "b2" };
    assert.ok(!isSame(nodeBinding(one, false), nodeBinding(other, false)));
  });

  it("can be made on this machine", async () => {
    const facts = await readNodeFacts();
    assert.ok(facts.machineId !== undefined || facts.bootId !== undefined);
    assert.equal(nodeBinding(facts, true).length, 32);
  });
});
