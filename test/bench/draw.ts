// `node test/bench/draw.ts FOLDER FILE...`: draws what `npm run bench -- ... --json FILE` wrote as SVG, one chart for each dependence of
// which the files hold at least two points.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ChartKind, chartKinds, type MeasuredFile, pointsOf } from "./charts.ts";
import { drawChart } from "./svg.ts";

const [folder = ".", ...paths] = process.argv.slice(2);
const files: MeasuredFile[] = [];
for (const path of paths) files.push(JSON.parse(await readFile(path, "utf8")));
for (const kind of chartKinds) await draw(kind);

async function draw(kind: ChartKind): Promise<void> {
  const curves = kind.curves
    .map((curve) => ({ name: curve.name, points: pointsOf(files, curve) }))
    .filter(({ points }) => points.length > 1);
  if (curves.length === 0) return;
  await writeFile(join(folder, `${kind.file}.svg`), drawChart({ ...kind, curves }));
  process.stdout.write(`${kind.file}.svg\n`);
}
