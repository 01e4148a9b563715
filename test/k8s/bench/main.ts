// `npm run bench:k8s -- ROW...`: measures the product on a Kubernetes cluster of its own with go-spiffe's clients, and prints a table
// beside SPIRE's figures; it judges nothing. Options: --count N (how many times, of what is measured one by one).

import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { describeError } from "../../../runtime/errors/describe.ts";
import { listenForShutdown } from "../../../runtime/process/signals.ts";
import { describeMachine } from "../../bench/machine.ts";
import { installChart, startWithImages } from "../world/world.ts";
import { benchArrivals, benchCrowd } from "./arrivals.ts";
import { type Bench, prepareNamespace } from "./bench.ts";
import { benchEndings } from "./endings.ts";
import type { Figure } from "./figure.ts";
import { benchMemory } from "./memory.ts";
import { benchAgentKilled, benchServerAway } from "./outages.ts";
import { benchChange, benchLabel, benchNewContainer, benchNewProcess } from "./running-pods.ts";
import { formatTable } from "./table.ts";

const rows = new Map<string, (bench: Bench) => Promise<readonly Figure[]>>([
  ["memory", benchMemory],
  ["arrivals", benchArrivals],
  ["process", benchNewProcess],
  ["container", benchNewContainer],
  ["change", benchChange],
  ["label", benchLabel],
  ["endings", benchEndings],
  ["crowd", benchCrowd],
  ["agent-killed", benchAgentKilled],
  ["server-away", benchServerAway],
]);

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** How busy the machine was, in processes that wanted to run over the last minute. */
function describeLoad(): string {
  return `load ${loadavg()[0]?.toFixed(1)}`;
}

async function main(signal: AbortSignal): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { count: { type: "string", default: "20" } },
  });
  const names = positionals.length === 0 ? [...rows.keys()] : positionals;
  const unknown = names.find((name) => !rows.has(name));
  if (unknown !== undefined) {
    throw new Error(`unknown row ${unknown}, one of: ${[...rows.keys()].join(", ")}`);
  }
  print(describeMachine());
  await using cluster = await startWithImages({ nodes: 1 });
  await installChart(cluster);
  const bench: Bench = { cluster, count: Number(values.count), signal, print };
  await prepareNamespace(bench);
  const figures: Figure[] = [];
  for (const name of names) {
    signal.throwIfAborted();
    print(`${name}, ${describeLoad()}`);
    figures.push(...((await rows.get(name)?.(bench)) ?? []));
  }
  print(`\n${formatTable(figures)}\n`);
  print(`taken ${new Date().toISOString().slice(0, 10)}, ${describeLoad()} at the end`);
}

using shutdown = listenForShutdown({ graceMs: 60_000, forceExit: (code) => process.exit(code) });
try {
  await main(shutdown.signal);
} catch (error) {
  process.stderr.write(`bench: ${describeError(error)}\n`);
  process.exitCode = 1;
}
