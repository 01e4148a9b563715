import type { Series } from "./figures.ts";
import type { MachineFacts } from "./machine.ts";
import type { Chart } from "./svg.ts";

/** What `--json` writes, as far as charts and verdicts need it. */
export interface MeasuredFile {
  /** The cores are the ones that the measured process may use. */
  readonly machine: Pick<MachineFacts, "usableCores">;
  readonly figures: readonly Pick<Series, "row" | "name" | "unit" | "median">[];
}

/** Which figures make a curve. */
export interface CurveSource {
  readonly name: string;
  /** Its first group, if it has one, is the value on the horizontal axis; without one that is the number of cores. */
  readonly row: RegExp;
  readonly figure: string;
}

/** A chart and where its points come from. */
export interface ChartKind extends Omit<Chart, "curves"> {
  /** Name of the file without its ending. */
  readonly file: string;
  readonly curves: readonly CurveSource[];
}

/** All charts that the harness draws. */
export const chartKinds: readonly ChartKind[] = [
  {
    file: "throughput-cores",
    title: "SVIDs a second",
    xLabel: "cores",
    yLabel: "a second",
    curves: [
      { name: "X.509, batches of 50", row: /^issue, batches of 50/, figure: "rate" },
      { name: "X.509, one by one, 32 callers", row: /^issue, batches of 1, 32/, figure: "rate" },
      { name: "JWT, 32 callers", row: /^jwt, 32/, figure: "rate" },
    ],
  },
  {
    file: "memory-entries",
    title: "Memory of a server",
    xLabel: "entries",
    yLabel: "MiB",
    logarithmicX: true,
    curves: [
      {
        name: "started with them",
        row: /^server with (\d+) entries, started/,
        figure: "resident",
      },
      {
        name: "that created them",
        row: /^server with (\d+) entries, that/,
        figure: "resident",
      },
    ],
  },
  {
    file: "start-entries",
    title: "Start of a server",
    xLabel: "entries",
    yLabel: "ms",
    logarithmicX: true,
    curves: [
      { name: "by the clock", row: /^server with (\d+) entries, started/, figure: "start" },
      {
        name: "processor time",
        row: /^server with (\d+) entries, started/,
        figure: "processor time of the start",
      },
    ],
  },
  {
    file: "push-entries",
    title: "Entry created to SVID in an open stream",
    xLabel: "entries",
    yLabel: "ms",
    logarithmicX: true,
    curves: ["p50", "p99"].map((figure) => ({
      name: figure,
      row: /^push among (\d+) entries, entry created/,
      figure,
    })),
  },
  {
    file: "memory-agents",
    title: "Memory of a server",
    xLabel: "connected agents",
    yLabel: "MiB",
    logarithmicX: true,
    curves: [{ name: "server", row: /^agents, (\d+)$/, figure: "resident" }],
  },
  {
    file: "idle-agents",
    title: "Processor time of a server whose agents have nothing to do",
    xLabel: "connected agents",
    yLabel: "cores",
    logarithmicX: true,
    curves: [{ name: "", row: /^agents, (\d+)$/, figure: "idle" }],
  },
  {
    file: "authority-agents",
    title: "A new authority with all agents",
    xLabel: "connected agents",
    yLabel: "ms",
    logarithmicX: true,
    curves: [{ name: "", row: /^agents, (\d+)$/, figure: "new authority with all" }],
  },
  {
    file: "soak",
    title: "Memory under churn",
    xLabel: "minutes",
    yLabel: "MiB",
    curves: ["server", "agent"].map((figure) => ({
      name: figure,
      row: /^soak, minute (\d+)$/,
      figure,
    })),
  },
];

/** The points of a curve in all files, from left to right; of two at one place the later one. */
export function pointsOf(
  files: readonly MeasuredFile[],
  { row, figure }: CurveSource,
): Chart["curves"][number]["points"] {
  const points = new Map<number, number>();
  for (const { machine, figures } of files) {
    for (const series of figures) {
      const match = row.exec(series.row);
      if (match === null || series.name !== figure) continue;
      points.set(Number(match[1] ?? machine.usableCores), series.median);
    }
  }
  return Array.from(points, ([x, y]) => ({ x, y })).sort((a, b) => a.x - b.x);
}
