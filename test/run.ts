// The test entry behind `npm test`. Arguments: `--long` for the long variants of the timed stories, `--root` for another tree
// than this one, and any number of path parts that choose files. Exits non-zero when anything failed, and when nothing ran.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "node:test";
import { parseArgs } from "node:util";
import { prepareTools } from "./runner/prepare-tools.ts";
import { Report } from "./runner/report.ts";
import { findSuites, type Suite } from "./runner/suites.ts";
import type { Omission } from "./support/requires.ts";

async function main(): Promise<number> {
  const { values, positionals: wanted } = parseArgs({
    allowPositionals: true,
    options: {
      long: { type: "boolean", default: false },
      root: { type: "string", default: join(import.meta.dirname, "..") },
    },
  });
  const { long, root } = values;
  const suites = await findSuites(root, { wanted, long });
  const folder = await mkdtemp(join(tmpdir(), "assay-test-"));
  const omissions = join(folder, "omissions");
  const report = new Report(root, (text) => process.stdout.write(text));
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ASSAY_TEST_OMISSIONS: omissions,
    // Every test file and every process of ours loads the same sources: they are compiled once.
    NODE_COMPILE_CACHE: join(folder, "compiled"),
    ...(long ? { ASSAY_TEST_LONG: "1" } : {}),
  };
  const started = performance.now();
  try {
    Object.assign(env, await prepareTools(suites));
    for (const suite of suites) await runSuite(suite, env, report);
    printEnd(report, performance.now() - started, await readOmissions(omissions));
  } finally {
    // A process may still put away what it compiled.
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
  const { tests, fail, cancelled } = report.tally;
  return tests === 0 || fail + cancelled > 0 ? 1 : 0;
}

async function runSuite(suite: Suite, env: NodeJS.ProcessEnv, report: Report): Promise<void> {
  process.stdout.write(`\n# ${suite.name}: ${suite.files.length} files\n`);
  const stuck = new AbortController();
  // A file whose tests are over but whose process stays is not stopped by the runner's own time limit.
  const watch = setTimeout(() => stuck.abort(), suite.timeoutMs + 15_000);
  const { concurrency, timeoutMs: timeout } = suite;
  const events = run({
    files: [...suite.files],
    concurrency,
    timeout,
    env,
    signal: stuck.signal,
  });
  for await (const event of events) {
    watch.refresh();
    report.add(event);
  }
  clearTimeout(watch);
  if (stuck.signal.aborted) report.fault(`${suite.name}: nothing ended in time, stopped`);
}

async function readOmissions(path: string): Promise<readonly Omission[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Omission => JSON.parse(line));
}

function printEnd(report: Report, elapsedMs: number, omissions: readonly Omission[]): void {
  const { tests, pass, fail, cancelled, skipped, todo } = report.tally;
  const remedies = new Map(omissions.map(({ need, remedy }) => [need, remedy]));
  const lines = [
    "",
    `# tests ${tests}`,
    `# pass ${pass}`,
    `# fail ${fail}`,
    `# cancelled ${cancelled}`,
    `# skipped ${skipped}`,
    `# todo ${todo}`,
    `# duration_ms ${Math.round(elapsedMs)}`,
  ];
  if (remedies.size > 0) {
    const each = [...remedies].map(([need, remedy]) => `${need} (${remedy})`).join(", ");
    const files = new Set(omissions.map(({ file }) => file)).size;
    lines.push(`left out in ${files} test file(s), this machine lacks: ${each}`);
  }
  lines.push(`${pass} passed, ${fail + cancelled} failed`);
  process.stdout.write(`${lines.join("\n")}\n`);
}

process.exitCode = await main();
