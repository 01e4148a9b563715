import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CallerLimits, limitKey } from "./caller-limits.ts";

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
});

describe("limitKey", () => {
  it("counts what a user's systemd started as one caller, whatever the user calls its cgroups", () => {
    const user = "/user.slice/user-1000.slice/user@1000.service";
    assert.equal(limitKey(1000, `${user}/app.slice/a.scope`), limitKey(1000, `${user}/b`));
    assert.notEqual(limitKey(1000, "/system.slice/a.service"), limitKey(1000, "/b.service"));
  });
});
