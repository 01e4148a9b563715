import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { CallerLimits, limitKey } from "./caller-limits.ts";

const id = "4f1c0a7e".repeat(8);
const otherId = "0b5e91d2".repeat(8);

describe("CallerLimits", () => {
  it("refuses what is over a caller's limit and leaves other callers alone", () => {
    const limits = new CallerLimits({
      connectionsPerCaller: 2,
      streamsPerCaller: 1,
      callsPerCaller: 1,
    });
    const hostile = limitKey(1000, "/a");
    const held = [limits.connect(hostile), limits.connect(hostile)];
    assert.equal(limits.connect(hostile), undefined);
    assert.ok(limits.connect(limitKey(1001, "/a")));
    assert.ok(limits.connect(limitKey(1000, "/b")));
    held[0]?.[Symbol.dispose]();
    held[0]?.[Symbol.dispose]();
    assert.ok(limits.connect(hostile));
    assert.equal(limits.connect(hostile), undefined);
    assert.ok(limits.call(hostile));
    assert.equal(limits.call(hostile), undefined);
    assert.ok(limits.stream(hostile));
    assert.equal(limits.stream(hostile), undefined);
  });

  it("lets each caller call so often, and then says when to try again", async () => {
    const clock = new FakeClock();
    const limits = new CallerLimits({
      connectionsPerCaller: 1,
      streamsPerCaller: 1,
      callsPerCaller: 1,
      rate: { allowed: { perSecond: 2, burst: 3 }, clock },
    });
    for (let i = 0; i < 3; i += 1) limits.countCall("a");
    const tooOften = { code: 8, reason: "rate_limited", message: /try again in 500 ms$/ };
    assert.throws(() => limits.countCall("a"), tooOften);
    limits.countCall("b");
    await clock.advance(500);
    limits.countCall("a");
    assert.throws(() => limits.countCall("a"), tooOften);
  });
});

describe("limitKey", () => {
  it("counts what a user's systemd started as one caller, whatever the user calls its cgroups", () => {
    const user = "/user.slice/user-1000.slice/user@1000.service";
    assert.equal(limitKey(1000, `${user}/app.slice/a.scope`), limitKey(1000, `${user}/b`));
    assert.equal(limitKey(100_000, `${user}/${id}`), limitKey(1000, `${user}/b`));
    assert.notEqual(limitKey(1000, "/system.slice/a.service"), limitKey(1000, "/b.service"));
  });

  it("counts a container as one caller, whatever uids it changes to and cgroups it makes", () => {
    for (const container of [
      `/kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope`,
      `/system.slice/docker-${id}.scope`,
      `/docker/${id}`,
    ]) {
      const key = limitKey(0, container);
      assert.equal(limitKey(1000, container), key);
      assert.equal(limitKey(0, `${container}/a/b`), key);
      assert.equal(limitKey(0, `${container}/docker/${otherId}`), key);
      assert.equal(limitKey(0, `${container}/user@1000.service`), key);
      assert.notEqual(limitKey(0, container.replace(id, otherId)), key);
    }
  });
});
