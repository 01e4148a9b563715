import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { Overdue } from "./overdue.ts";

const start = (limitMs: number) => {
  const clock = new FakeClock();
  const ended: string[] = [];
  const overdue = new Overdue<string>(clock, limitMs, (key) => ended.push(key));
  return { clock, ended, overdue };
};

describe("Overdue", () => {
  it("ends what did not arrive in time, once, and nothing else", async () => {
    const { clock, ended, overdue } = start(100);
    overdue.expect("late");
    overdue.expect("arrived");
    await clock.advance(60);
    overdue.expect("young");
    overdue.arrived("arrived");
    await clock.advance(40);
    overdue.sweep();
    assert.deepEqual(ended, ["late"]);
    await clock.advance(59);
    overdue.sweep();
    assert.deepEqual(ended, ["late"]);
    await clock.advance(1);
    overdue.sweep();
    overdue.sweep();
    assert.deepEqual(ended, ["late", "young"]);
  });

  it("does not mind an arrival that nobody expected", () => {
    const { overdue } = start(100);
    overdue.arrived("unknown");
  });
});
