import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { listenForHangup, listenForShutdown } from "./signals.ts";

const start = (graceMs: number) => {
  const clock = new FakeClock();
  const source = new EventEmitter();
  const exits = new EventEmitter();
  const codes: number[] = [];
  const shutdown = listenForShutdown({
    graceMs,
    source,
    clock,
    forceExit: (code) => {
      codes.push(code);
      exits.emit("exit");
    },
  });
  return { source, exits, codes, shutdown, clock };
};

describe("listenForShutdown", () => {
  for (const name of ["SIGINT", "SIGTERM"]) {
    it(`aborts at ${name}`, () => {
      const { source, codes, shutdown } = start(60_000);
      assert.equal(shutdown.signal.aborted, false);
      source.emit(name);
      assert.equal(shutdown.signal.aborted, true);
      assert.deepEqual(codes, []);
      shutdown[Symbol.dispose]();
    });
  }

  it("takes signals that arrive together for one request", () => {
    const { source, codes, shutdown } = start(60_000);
    source.emit("SIGINT");
    source.emit("SIGINT");
    source.emit("SIGTERM");
    assert.deepEqual(codes, []);
    shutdown[Symbol.dispose]();
  });

  it("forces the exit at a second request", async () => {
    const { source, codes, shutdown, clock } = start(60_000);
    source.emit("SIGTERM");
    await clock.advance(501);
    source.emit("SIGINT");
    assert.deepEqual(codes, [130]);
    shutdown[Symbol.dispose]();
  });

  it("forces the exit when the time of grace is over", async () => {
    const { source, exits, codes, shutdown } = start(1);
    const exited = once(exits, "exit");
    const keepAlive = setInterval(() => {}, 1000);
    source.emit("SIGTERM");
    await exited;
    clearInterval(keepAlive);
    assert.deepEqual(codes, [143]);
    shutdown[Symbol.dispose]();
  });

  it("listens no more after disposal", () => {
    const { source, shutdown } = start(1);
    shutdown[Symbol.dispose]();
    assert.equal(source.listenerCount("SIGINT") + source.listenerCount("SIGTERM"), 0);
  });
});

describe("listenForHangup", () => {
  it("calls the listener at each SIGHUP until disposed", () => {
    const source = new EventEmitter();
    let calls = 0;
    const listening = listenForHangup(() => {
      calls += 1;
    }, source);
    source.emit("SIGHUP");
    source.emit("SIGHUP");
    listening[Symbol.dispose]();
    source.emit("SIGHUP");
    assert.equal(calls, 2);
  });
});
