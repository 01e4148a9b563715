// `node test/bench/table.ts FILE...`: the table of targets in Markdown, out of what `npm run bench -- ... --json FILE` wrote.

import { readFile } from "node:fs/promises";
import type { MeasuredFile } from "./charts.ts";
import { targetLines } from "./targets.ts";
import { verdictTable } from "./verdicts.ts";

const files: MeasuredFile[] = [];
for (const path of process.argv.slice(2)) files.push(JSON.parse(await readFile(path, "utf8")));
// Of two figures of one row the last counts, and a target is for all cores.
files.sort((a, b) => a.machine.usableCores - b.machine.usableCores);
process.stdout.write(`${verdictTable(targetLines, files)}\n`);
