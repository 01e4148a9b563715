import assert from "node:assert/strict";
import { openSync } from "node:fs";
import { describe, it } from "node:test";
import { PidFd } from "./pid-fd.ts";
import { isSameProcess } from "./process-watch.ts";

const ids = { pid: process.pid, uid: 0, gid: 0 };
const handle = (ended: boolean): PidFd => new PidFd(openSync("/dev/null", "r"), () => ended);

describe("isSameProcess", () => {
  it("trusts a handle of the kernel alone", () => {
    using alive = handle(false);
    using ended = handle(true);
    assert.equal(isSameProcess({ ...ids, pidfd: alive }), true);
    assert.equal(isSameProcess({ ...ids, pidfd: ended }), false);
  });

  it("doubts a handle that was opened by PID when another process has the PID now", () => {
    using pidfd = handle(false);
    assert.equal(isSameProcess({ ...ids, pidfd, startTime: "1" }), false);
  });

  it("is false where it cannot be known", () => {
    assert.equal(isSameProcess(ids), false);
    const closed = handle(false);
    closed[Symbol.dispose]();
    assert.equal(isSameProcess({ ...ids, pidfd: closed }), false);
  });
});
