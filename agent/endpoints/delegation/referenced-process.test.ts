import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { isSameProcess } from "../../../runtime/peer/process-watch.ts";
import { FakeClock } from "../../../test/fakes/fake-clock.ts";
import { requires } from "../../../test/support/requires.ts";
import { ReferencedProcess } from "./referenced-process.ts";

const sleeper = (): ChildProcess => spawn("sleep", ["1000"], { stdio: "ignore" });

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

if (requires("linux")) {
  describe("ReferencedProcess", () => {
    it("is who owns the process", async () => {
      const child = sleeper();
      using process_ = ReferencedProcess.open(child.pid ?? 0);
      assert.equal(process_.peer.credentials.uid, process.geteuid?.());
      assert.ok(isSameProcess(process_.peer.credentials));
      await end(child);
    });

    it("tells when the process has ended", async () => {
      const clock = new FakeClock();
      const child = sleeper();
      using process_ = ReferencedProcess.open(child.pid ?? 0);
      const ended = process_.ended(clock, new AbortController().signal);
      await end(child);
      await clock.advance(1_000);
      await ended;
    });

    for (const pid of [0, -1, 2 ** 22 + 1]) {
      it(`refuses ${pid}, which is no process`, () => {
        assert.throws(() => ReferencedProcess.open(pid), { name: "CallerGoneError" });
      });
    }

    if (requires("root")) {
      it("is not a later process with the same PID", async () => {
        const first = sleeper();
        const pid = first.pid ?? 0;
        using process_ = ReferencedProcess.open(pid);
        await end(first);
        await using others = new AsyncDisposableStack();
        for (let tries = 0; tries < 200; tries += 1) {
          writeFileSync("/proc/sys/kernel/ns_last_pid", String(pid - 1));
          const next = sleeper();
          others.defer(() => end(next));
          if (next.pid === pid) {
            assert.equal(isSameProcess(process_.peer.credentials), false);
            using later = ReferencedProcess.open(pid);
            assert.ok(isSameProcess(later.peer.credentials));
            return;
          }
        }
        assert.fail("no process got the PID again");
      });
    }
  });
}
