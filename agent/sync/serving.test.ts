import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { Contact } from "./contact.ts";
import { servingState } from "./serving.ts";

describe("servingState", () => {
  const usual = { isBanned: false, hasView: true, offlineMs: 10, maxOfflineMs: 10 };
  const cases = [
    ["ready", {}],
    ["starting", { hasView: false }],
    ["offline_too_long", { offlineMs: 11 }],
    ["banned", { isBanned: true }],
    ["banned", { isBanned: true, hasView: false }],
  ] as const;
  for (const [state, changes] of cases) {
    it(`is ${state} with ${JSON.stringify(changes)}`, () => {
      assert.equal(servingState({ ...usual, ...changes }), state);
    });
  }
});

describe("Contact", () => {
  it("grows old by the monotonic clock, whatever the wall clock does", async () => {
    const clock = new FakeClock();
    const contact = new Contact(clock, undefined);
    contact.made();
    await clock.advance(1_000);
    clock.jump(-3_600_000);
    assert.equal(contact.ageMs, 1_000);
    clock.jump(7_200_000);
    assert.equal(contact.ageMs, 1_000);
  });

  it("counts the time in which the agent did not run", () => {
    const clock = new FakeClock();
    const last = new Date(clock.now().getTime() - 60_000);
    assert.equal(new Contact(clock, last).ageMs, 60_000);
  });

  it("takes a last contact in the future for one just now", () => {
    const clock = new FakeClock();
    assert.equal(new Contact(clock, new Date(clock.now().getTime() + 60_000)).ageMs, 0);
  });
});
