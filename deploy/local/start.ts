// `npm start`: a server and an agent on this machine, joined, with the calling user registered; until Ctrl-C. State is kept in
// .assay in the checkout, or where ASSAY_HOME points, and the next start goes on with it.

import { join, resolve } from "node:path";
import { describeError } from "../../runtime/errors/describe.ts";
import { listenForShutdown } from "../../runtime/process/signals.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import type { Child } from "./child.ts";
import { layoutOf } from "./layout.ts";
import { LocalMachine } from "./local-machine.ts";
import { lastWords } from "./readiness.ts";
import { refuseSecondStart } from "./running.ts";
import { registerUser } from "./user-entry.ts";

const trustDomain = "example.test";
/** Where stock tools look for a server. */
const preferredPort = 8081;

async function main(signal: AbortSignal): Promise<void> {
  const home = resolve(
    process.env["ASSAY_HOME"] ?? join(import.meta.dirname, "..", "..", ".assay"),
  );
  const started = systemClock.monotonicMs();
  await refuseSecondStart(layoutOf(home));
  await using machine = await LocalMachine.prepare({
    home,
    trustDomain,
    preferredPort,
    clock: systemClock,
    signal,
  });
  await machine.startServer();
  await machine.startAgent();
  const spiffeId = await registerUser(machine, signal);
  const seconds = ((systemClock.monotonicMs() - started) / 1000).toFixed(1);
  process.stdout.write(welcome(machine, spiffeId, seconds));
  await untilEnd([machine.server.child, machine.agent.child], signal);
}

function welcome({ layout }: LocalMachine, spiffeId: string, seconds: string): string {
  const assay = "node bin/assay.mjs";
  const lines = [
    `Assay is up (${seconds} s). State and logs: ${layout.home}`,
    `Workload API:  unix://${layout.workloadSocket}`,
    `Your identity: ${spiffeId}`,
    "Try next, in another terminal:",
    `  export SPIFFE_ENDPOINT_SOCKET=unix://${layout.workloadSocket} ASSAY_SERVER_SOCKET=${layout.adminSocket}`,
    `  ${assay} x509 fetch`,
    `  ${assay} entry list`,
    `  ${assay} audit list`,
    "Ctrl-C ends it; the next npm start goes on from here.",
  ];
  return `${lines.join("\n")}\n`;
}

/** Resolves when asked to end. @throws {Error} when a process ends by itself, with its last words */
async function untilEnd(children: readonly Child[], signal: AbortSignal): Promise<void> {
  const asked = new Promise<undefined>((done) => {
    signal.addEventListener("abort", () => done(undefined), { once: true });
    if (signal.aborted) done(undefined);
  });
  const ended = children.map(async (child) => {
    const { code, signal: killed } = await child.exited;
    return { child, how: killed ?? `exit code ${code}` };
  });
  const first = await Promise.race([asked, ...ended]);
  if (first === undefined || signal.aborted) return;
  throw new Error(`the ${first.child.name} ended (${first.how}); ${await lastWords(first.child)}`);
}

using shutdown = listenForShutdown({
  graceMs: 30_000,
  forceExit: (code) => process.exit(code),
});
try {
  await main(shutdown.signal);
} catch (error) {
  if (!shutdown.signal.aborted) {
    process.stderr.write(`assay: ${describeError(error)}\n`);
    process.exitCode = 1;
  }
}
