import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { RefreshSchedule } from "./refresh-schedule.ts";

describe("RefreshSchedule", () => {
  const schedule = new RefreshSchedule(new FakeRandom());
  const within = (ms: number, least: number, most: number): void =>
    assert.ok(ms >= least && ms <= most, `${ms} is not within ${least} and ${most}`);

  it("follows the hint, a little early, and never at the same moment for all", () => {
    for (let i = 0; i < 20; i++) within(schedule.nextMs(60), 54_000, 60_000);
  });

  it("takes five minutes where there is no hint", () => {
    within(schedule.nextMs(0), 270_000, 300_000);
  });

  it("lets no publisher make it hammer, or miss a key for days", () => {
    within(schedule.nextMs(1), 9_000, 10_000);
    within(schedule.nextMs(604_800), 3_240_000, 3_600_000);
  });

  it("F-42 waits for the next interval after a failure", () => {
    for (let i = 0; i < 3; i++) within(schedule.retryMs(60, true), 54_000, 60_000);
  });

  it("asks sooner at first where nothing is known yet", () => {
    assert.equal(schedule.firstMs(false), 0);
    within(schedule.retryMs(0, false), 0, 1_000);
    within(schedule.retryMs(0, false), 0, 2_000);
  });
});
