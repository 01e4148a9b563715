import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Succession, type SuccessionMember } from "./succession.ts";

describe("Succession", () => {
  const orders: string[] = [];
  const member = (name: string, sinceMs: number): SuccessionMember => ({
    sinceMs,
    order: ({ type }) => orders.push(`${name}: ${type}`),
  });
  const taken = (): readonly string[] => orders.splice(0);

  it("leaves one agent alone", () => {
    const succession = new Succession();
    const only = member("only", 1);
    succession.join(only);
    succession.leave(only);
    assert.deepEqual(taken(), []);
    assert.equal(succession.size, 0);
  });

  it("tells the older to release when a newer one accepts, and to accept when that one is gone", () => {
    const succession = new Succession();
    const [older, newer] = [member("older", 1), member("newer", 2)];
    succession.join(older);
    succession.join(newer);
    assert.deepEqual(taken(), ["older: release"]);
    succession.leave(newer);
    assert.deepEqual(taken(), ["older: accept"]);
  });

  it("goes by the start of the process, not by who came back first", () => {
    const succession = new Succession();
    succession.join(member("newer", 2));
    succession.join(member("older", 1));
    assert.deepEqual(taken(), ["older: release"]);
  });

  it("says nothing more to an older one that goes", () => {
    const succession = new Succession();
    const older = member("older", 1);
    succession.join(older);
    succession.join(member("newer", 2));
    taken();
    succession.leave(older);
    succession.leave(older);
    assert.deepEqual(taken(), []);
    assert.equal(succession.size, 1);
  });

  it("chooses the last of those that started together", () => {
    const succession = new Succession();
    succession.join(member("first", 1));
    succession.join(member("second", 1));
    assert.deepEqual(taken(), ["first: release"]);
  });
});
