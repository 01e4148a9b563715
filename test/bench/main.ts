// `npm run bench -- NAME...`: measures over the public API, with real TLS and processes, and prints figures; it judges nothing.
// Options: --seconds S (how long a load lasts), --count N (how many times, of what is counted), --release FOLDER (measure the release
// there instead of the sources), --flags "FLAGS" (for its Node, in place of its own), --minutes M (how long a soak lasts, which only
// runs when it is named), --runs N (all of it so often, for medians), --cores N (server and agent get the first N cores only),
// --json FILE (the figures of all runs). "micro" stands alone: what a call of each hot function costs.

import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import {
  type AssayCommand,
  releasedCommand,
  unbuiltCommand,
} from "../../deploy/local/assay-command.ts";
import { freePort } from "../../deploy/local/free-port.ts";
import { LocalMachine } from "../../deploy/local/local-machine.ts";
import { describeError } from "../../runtime/errors/describe.ts";
import { listenForShutdown } from "../../runtime/process/signals.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { TempDir } from "../support/temp-dir.ts";
import { benchAgents } from "./agents.ts";
import type { Bench } from "./bench.ts";
import { benchEntries } from "./entries.ts";
import { Figures, formatFigure } from "./figures.ts";
import { benchFirstAnswer } from "./first-answer.ts";
import { benchInstances } from "./instances.ts";
import { benchIssue } from "./issue.ts";
import { issuedBy } from "./issued.ts";
import { benchJwt } from "./jwt.ts";
import { describeMachine, machineFacts } from "./machine.ts";
import { benchMemory } from "./memory.ts";
import { runMicro } from "./micro.ts";
import { benchPush } from "./push.ts";
import { benchRenewals } from "./renewals.ts";
import { benchRestart } from "./restart.ts";
import { benchSds } from "./sds.ts";
import { benchSoak } from "./soak.ts";

const benchmarks = new Map<string, (bench: Bench) => Promise<void>>([
  ["issue", benchIssue],
  ["jwt", benchJwt],
  ["push", benchPush],
  ["first-answer", benchFirstAnswer],
  ["entries", benchEntries],
  ["restart", benchRestart],
  ["agents", benchAgents],
  ["memory", benchMemory],
  ["instances", benchInstances],
  ["sds", benchSds],
  ["renewals", benchRenewals],
  ["soak", benchSoak],
]);

const trustDomain = "bench.test";
const unlimited = { perSecond: 1_000_000, burst: 10_000_000 };
/** A measurement is one caller, which the limits of one caller would end. */
const rates = Object.fromEntries(
  ["attest", "renew", "status", "sync", "sign_x509", "sign_jwt", "mint", "read", "write"].map(
    (kind) => [kind, unlimited],
  ),
);

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(signal: AbortSignal): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "6" },
      count: { type: "string" },
      release: { type: "string" },
      flags: { type: "string" },
      minutes: { type: "string", default: "30" },
      runs: { type: "string", default: "1" },
      cores: { type: "string" },
      json: { type: "string" },
    },
  });
  if (positionals[0] === "micro") return runMicro(signal, reportTo(new Figures()));
  const names = positionals.length === 0 ? [...benchmarks.keys()].filter(isShort) : positionals;
  const unknown = names.find((name) => !benchmarks.has(name));
  if (unknown !== undefined) {
    throw new Error(`unknown benchmark ${unknown}, one of: ${[...benchmarks.keys()].join(", ")}`);
  }
  const seconds = Number(values.seconds);
  const minutes = Number(values.minutes);
  const count = values.count === undefined ? undefined : Number(values.count);
  print(describeMachine());
  const cores = values.cores === undefined ? undefined : Number(values.cores);
  const command = pinned(commandOf(values.release, values.flags), cores);
  const figures = new Figures();
  const takenAt = new Date().toISOString();
  for (let run = 0; run < Number(values.runs); run++) {
    for (const name of names)
      await runOne(name, { seconds, minutes, count, signal }, command, figures);
  }
  print(`\n${figures.toTable()}`);
  if (values.json === undefined) return;
  const { json: _, ...options } = values;
  const content = {
    takenAt,
    machine: cores === undefined ? machineFacts() : { ...machineFacts(), usableCores: cores },
    benchmarks: names,
    options,
    figures: figures.series,
  };
  await writeFile(values.json, `${JSON.stringify(content, undefined, 2)}\n`);
}

/** What runs as server and agent. */
function commandOf(release: string | undefined, flags: string | undefined): AssayCommand {
  if (release === undefined) return unbuiltCommand;
  const folder = resolve(release);
  if (flags === undefined) return releasedCommand(folder);
  const given = flags.split(" ").filter((flag) => flag !== "");
  return {
    file: join(folder, "bin", "node"),
    args: [...given, join(folder, "lib", "assay.mjs")],
  };
}

/** The same on the first so many cores; the load goes where the kernel has room for it. */
function pinned(command: AssayCommand, cores: number | undefined): AssayCommand {
  if (cores === undefined) return command;
  const list = ["--cpu-list", `0-${cores - 1}`];
  return { file: "taskset", args: [...list, command.file, ...command.args] };
}

/** Each benchmark has processes and state of its own. */
async function runOne(
  name: string,
  options: Pick<Bench, "seconds" | "minutes" | "count" | "signal">,
  command: AssayCommand,
  figures: Figures,
): Promise<void> {
  const { signal } = options;
  await using dir = await TempDir.open(0o755);
  const limits = { rates, maxConnectionsPerAddress: 25_000 };
  const port = await freePort(0);
  const machine = await LocalMachine.prepare({
    home: dir.path,
    trustDomain,
    clock: systemClock,
    signal,
    server: { limits, observability: { port } },
    agent: { limits: { maxStreamsPerCaller: 4_096, maxCallsPerCaller: 4_096 } },
    command,
    // A million entries on a busy machine.
    timeoutMs: 300_000,
  });
  await using _ = machine;
  const server = await machine.startServer();
  await benchmarks.get(name)?.({
    ...options,
    machine,
    server,
    agent: () => machine.startAgent(),
    fleet: { admin: server, address: `127.0.0.1:${machine.port}`, trustDomain, signal },
    issued: (kind) => issuedBy(port, kind, signal),
    pause: (ms) => systemClock.sleep(ms, signal),
    print,
    report: reportTo(figures),
  });
}

/** Prints and keeps. */
function reportTo(figures: Figures): Bench["report"] {
  return (row, measured) => {
    figures.add(row, measured);
    const each = measured.map((figure) => `${figure.name} ${formatFigure(figure)}`);
    print(`${row}: ${each.join(", ")}`);
  };
}

function isShort(name: string): boolean {
  return name !== "soak";
}

using shutdown = listenForShutdown({ graceMs: 20_000, forceExit: (code) => process.exit(code) });
try {
  await main(shutdown.signal);
} catch (error) {
  process.stderr.write(`bench: ${describeError(error)}\n`);
  process.exitCode = 1;
}
