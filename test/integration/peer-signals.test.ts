import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite, test } from "node:test";
import { requires } from "../support/requires.ts";
import { root } from "../support/sources.ts";

/** Asks for half a second whether this very process runs, under as many signals as a shell can send. */
const script = `
  import { spawn } from "node:child_process";
  import { openPeerReader } from ${JSON.stringify(join(root, "runtime/peer/credentials.ts"))};
  process.on("SIGUSR2", () => {});
  const { pidfd } = openPeerReader(process.platform).open(process.pid);
  const storm = "i=0; while [ $i -lt 50000 ] && kill -USR2 " + process.pid + "; do i=$((i+1)); done";
  const sender = spawn("/bin/sh", ["-c", storm], { stdio: "ignore" });
  let ended = 0;
  const until = performance.now() + 500;
  while (performance.now() < until) if (!pidfd.isAlive()) ended += 1;
  process.kill(sender.pid, "SIGKILL");
  process.stdout.write(String(ended), () => process.exit(0));`;

if (requires("linux")) {
  suite("the process on the other end", () => {
    test("has not ended because a signal interrupts the question", () => {
      const args = ["--input-type=module", "--eval", script];
      const { status, stdout } = spawnSync(process.execPath, args, {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
        timeout: 60_000,
        killSignal: "SIGKILL",
      });
      assert.equal(status, 0);
      assert.equal(stdout, "0");
    });
  });
}
