// `node test/bench/targets-main.ts RELEASE FOLDER [NAME...]`: measures every row of the table of targets, about half an hour on two
// cores, writes a file for each part into the folder, and prints the table. With names only these parts; the table tells of all files
// that are there. Close everything else before.

import { spawn } from "node:child_process";
import { glob, mkdir } from "node:fs/promises";
import { join } from "node:path";

/** What is run, in this order: short ones first, so that an early end leaves most rows. */
const parts = new Map([
  ["rates", "issue jwt --runs 5 --seconds 4"],
  ["one-core", "issue jwt --seconds 4 --cores 1"],
  ["answers", "push first-answer restart --runs 5"],
  ["renewals", "renewals --runs 2"],
  ["agent", "memory instances sds"],
  ["agents-1000", "agents --count 1000"],
  ["entries-1000", "entries --count 1000"],
  ["entries-10000", "entries --count 10000"],
  ["entries-100000", "entries --count 100000"],
  ["agents-10000", "agents --count 10000"],
  ["entries-1000000", "entries --count 1000000"],
]);

const [release, folder, ...chosen] = process.argv.slice(2);
if (release === undefined || folder === undefined) {
  throw new Error("usage: node test/bench/targets-main.ts RELEASE FOLDER [NAME...]");
}
const unknown = chosen.find((name) => !parts.has(name));
if (unknown !== undefined) {
  throw new Error(`unknown part ${unknown}, one of: ${[...parts.keys()].join(", ")}`);
}
await mkdir(folder, { recursive: true });
for (const [name, args] of parts) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  process.stdout.write(`\n## ${name}: ${args}\n`);
  const file = join(folder, `${name}.json`);
  const code = await run("main.ts", [...args.split(" "), "--release", release, "--json", file]);
  // The others are worth having without it.
  if (code !== 0) process.stderr.write(`bench: ${name} ended with ${code}\n`);
}
const files = await Array.fromAsync(glob(join(folder, "*.json")));
await run("table.ts", files);
process.exitCode = await run("draw.ts", [folder, ...files]);

async function run(script: string, args: readonly string[]): Promise<number> {
  const path = join(import.meta.dirname, script);
  const child = spawn(process.execPath, [path, ...args], { stdio: "inherit" });
  const exited = Promise.withResolvers<number>();
  child.once("error", exited.reject);
  child.once("exit", (code) => exited.resolve(code ?? 1));
  return exited.promise;
}
