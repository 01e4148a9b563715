import { formatMs } from "./latencies.ts";

/** What a figure is counted in. */
export type Unit =
  | "ms"
  | "ns"
  | "bytes"
  | "MiB"
  | "KiB"
  | "MB"
  | "kB"
  | "cores"
  | "core-seconds"
  | "cores of the load"
  | "a second"
  | "per core-second"
  | "times";

/** One measured value. */
export interface Figure {
  readonly name: string;
  readonly unit: Unit;
  readonly value: number;
}

/** A figure over all runs. */
export interface Series {
  /** What was measured, with its size: "entries, 100000". */
  readonly row: string;
  readonly name: string;
  readonly unit: Unit;
  readonly median: number;
  /** One of each run, in order. */
  readonly values: readonly number[];
}

/** Collects what benchmarks measure, run after run. */
export class Figures {
  readonly #values = new Map<string, Omit<Series, "median"> & { readonly values: number[] }>();

  add(row: string, figures: readonly Figure[]): void {
    for (const { name, unit, value } of figures) {
      const key = JSON.stringify([row, name, unit]);
      const known = this.#values.get(key) ?? { row, name, unit, values: [] };
      known.values.push(value);
      this.#values.set(key, known);
    }
  }

  /** In the order in which they came first. */
  get series(): readonly Series[] {
    return Array.from(this.#values.values(), (series) => ({
      ...series,
      median: median(series.values),
    }));
  }

  /** A table in Markdown: medians, and beside them the least and the most where there were several runs. */
  toTable(): string {
    const lines = ["| | figure | median | least to most |", "| --- | --- | --- | --- |"];
    for (const { row, name, unit, values, ...series } of this.series) {
      const text = (value: number): string => formatFigure({ name, unit, value });
      const [least, most] = [Math.min(...values), Math.max(...values)];
      const range = values.length > 1 ? `${text(least)} to ${text(most)}` : "";
      lines.push(`| ${row} | ${name} | ${text(series.median)} | ${range} |`);
    }
    return lines.join("\n");
  }
}

/** "12.3 ms", "4,567 a second" */
export function formatFigure({ unit, value }: Figure): string {
  if (unit === "ms") return formatMs(value);
  const digits = Math.abs(value) >= 100 ? 0 : 3;
  return `${value.toLocaleString("en", { maximumFractionDigits: digits })} ${unit}`;
}

/** Of an even number the lower one: a value that was measured. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}
