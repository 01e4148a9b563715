import assert from "node:assert/strict";
import { openSync } from "node:fs";
import { describe, it } from "node:test";
import { PidFd, parseStartTime, readStartTime } from "./pid-fd.ts";

describe("parseStartTime", () => {
  const rest = `S ${Array.from({ length: 18 }, (_, i) => i).join(" ")} 123456 0 0`;

  for (const name of ["node", "a b", "a) R 1 (b", "(", ""]) {
    it(`finds field 22 behind the name ${JSON.stringify(name)}`, () => {
      assert.equal(parseStartTime(`42 (${name}) ${rest}\n`), "123456");
    });
  }

  for (const stat of ["", "42 (node) S 1 2", `42 (node) ${rest.replace("123456", "-1")}`]) {
    it(`finds nothing in ${JSON.stringify(stat.slice(0, 20))}`, () => {
      assert.equal(parseStartTime(stat), undefined);
    });
  }
});

describe("readStartTime", () => {
  it("knows nothing of a process that does not exist", () => {
    assert.equal(readStartTime(1, "/nonexistent"), undefined);
  });
});

describe("PidFd", () => {
  const openAny = (): number => openSync("/dev/null", "r");

  it("is alive until the process has ended", () => {
    let ended = false;
    using pidfd = new PidFd(openAny(), () => ended);
    assert.equal(pidfd.isAlive(), true);
    ended = true;
    assert.equal(pidfd.isAlive(), false);
  });

  it("is not alive once closed, and does not ask about a descriptor that may mean something else", () => {
    const fd = openAny();
    const asked: number[] = [];
    const pidfd = new PidFd(fd, (asking) => {
      asked.push(asking);
      return false;
    });
    pidfd[Symbol.dispose]();
    pidfd[Symbol.dispose]();
    const reused = openAny();
    assert.equal(reused, fd);
    assert.equal(pidfd.isAlive(), false);
    assert.deepEqual(asked, []);
    new PidFd(reused, () => true)[Symbol.dispose]();
  });
});
