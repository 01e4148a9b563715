// `npm run demo`: a tour of under 90 seconds on a machine of its own. Exits 0 only if everything it tells has happened.

import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describeError } from "../../runtime/errors/describe.ts";
import { listenForShutdown } from "../../runtime/process/signals.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { Guide } from "./demo/guide.ts";
import { takeTour } from "./demo/tour.ts";
import { LocalMachine } from "./local-machine.ts";

const timeLimitMs = 90_000;

async function main(interrupted: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([interrupted, AbortSignal.timeout(timeLimitMs)]);
  const state = resolve(
    process.env["ASSAY_HOME"] ?? join(import.meta.dirname, "..", "..", ".assay"),
  );
  const home = join(state, "demo");
  await rm(home, { recursive: true, force: true });
  const guide = new Guide((text) => process.stdout.write(text), systemClock);
  {
    const clock = systemClock;
    await using machine = await LocalMachine.prepare({
      home,
      trustDomain: "demo.test",
      clock,
      signal,
    });
    await takeTour(machine, guide, signal);
  }
  await rm(home, { recursive: true, force: true });
  guide.tell(`All of it happened, in ${guide.elapsed()}.`);
}

using shutdown = listenForShutdown({ graceMs: 20_000, forceExit: (code) => process.exit(code) });
try {
  await main(shutdown.signal);
} catch (error) {
  process.stderr.write(`demo: ${describeError(error)}\n`);
  process.exitCode = 1;
}
