import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { passedSockets } from "./socket-activation.ts";

describe("passedSockets", () => {
  it("gives the descriptors by name", () => {
    const env = { LISTEN_PID: "42", LISTEN_FDS: "3", LISTEN_FDNAMES: "workload:admin:workload" };
    assert.deepEqual(
      [...passedSockets(env, 42)],
      [
        ["workload", [3, 5]],
        ["admin", [4]],
      ],
    );
  });

  it("calls sockets without names unknown", () => {
    assert.deepEqual(
      [...passedSockets({ LISTEN_PID: "42", LISTEN_FDS: "1" }, 42)],
      [["unknown", [3]]],
    );
  });

  it("leaves alone what is meant for another process", () => {
    assert.equal(passedSockets({ LISTEN_PID: "41", LISTEN_FDS: "1" }, 42).size, 0);
    assert.equal(passedSockets({ LISTEN_FDS: "1" }, 42).size, 0);
    assert.equal(passedSockets({}, 42).size, 0);
  });

  for (const LISTEN_FDS of ["", "-1", "1e3", "99999", " 1"]) {
    it(`refuses the count ${JSON.stringify(LISTEN_FDS)}`, () => {
      assert.throws(() => passedSockets({ LISTEN_PID: "42", LISTEN_FDS }, 42), {
        message: "LISTEN_FDS is not a number",
      });
    });
  }

  it("refuses names that do not match the count", () => {
    const env = { LISTEN_PID: "42", LISTEN_FDS: "1", LISTEN_FDNAMES: "a:b" };
    assert.throws(() => passedSockets(env, 42), {
      message: "LISTEN_FDNAMES and LISTEN_FDS differ in length",
    });
  });
});
