import type { MeasuredFile } from "./charts.ts";
import type { Series } from "./figures.ts";
import { formatMs } from "./latencies.ts";
import type { Target, TargetLine } from "./targets.ts";

type Measured = Pick<Series, "unit" | "median">;

/** Where the tables below take their figures from: of two files that hold the same one, the later. */
export function findMeasured(
  files: readonly MeasuredFile[],
  { row, figure }: Pick<Target, "row" | "figure">,
): Measured | undefined {
  const all = files.flatMap(({ figures }) => figures);
  const found = all.findLast((series) => series.row === row && series.name === figure);
  return found === undefined ? undefined : inPowersOfTen(found);
}

/** The table of targets in Markdown: what SPIRE does, what is wanted, what was measured, and the verdict on it. */
export function verdictTable(lines: readonly TargetLine[], files: readonly MeasuredFile[]): string {
  const rows = lines.map(({ title, spire, targets }) => {
    const measured = targets.map((target) => findMeasured(files, target));
    const cells = [
      title,
      spire,
      targets.map((target, n) => wanted(target, measured[n]?.unit)).join(" / "),
      measured.map((figure) => (figure === undefined ? "?" : format(figure))).join(" / "),
      targets
        .map((target, n) => verdict(target, measured[n]?.median))
        .filter((text) => text !== "")
        .join(" / "),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "| figure | SPIRE | target | measured | verdict |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

/** "met", "missed by 12 %", "first met, next missed by 12 %"; empty for what has no target. */
export function verdict({ bound, limits }: Target, value: number | undefined): string {
  if (limits.length === 0) return "";
  if (value === undefined) return "not measured";
  const missed = limits.findIndex((limit) =>
    bound === "at least" ? value < limit : value > limit,
  );
  const limit = limits[missed];
  if (limit === undefined) return "met";
  const text = `missed by ${Math.ceil((Math.abs(value - limit) / limit) * 100)} %`;
  return missed === 0 ? `**${text}**` : `first met, next ${text}`;
}

/** Memory is measured in powers of two, and its targets are in powers of ten. */
function inPowersOfTen({ unit, median }: Measured): Measured {
  if (unit === "MiB") return { unit: "MB", median: median * 1.048_576 };
  if (unit === "KiB") return { unit: "kB", median: median * 1.024 };
  return { unit, median };
}

function wanted({ limits }: Target, unit: Series["unit"] | undefined): string {
  if (limits.length === 0) return "as few as can be";
  const text = (limit: number): string => {
    if (unit === "ms") return limit < 1000 ? `${limit} ms` : `${limit / 1000} s`;
    return format({ unit: unit ?? "times", median: limit });
  };
  return limits.map(text).join(", then ");
}

function format({ unit, median }: Measured): string {
  if (unit === "ms") return formatMs(median);
  const maximumFractionDigits = Math.abs(median) >= 10 ? 0 : 3;
  const number = median.toLocaleString("en", { maximumFractionDigits });
  return unit === "MB" || unit === "kB" || unit === "cores" ? `${number} ${unit}` : number;
}
