import type { Figure } from "./figure.ts";
import { references } from "./reference.ts";

const headings = ["figure", "n", "p50", "p90", "p99", "max", "refused", "SPIRE", "target"];

/** The figures as a table of Markdown, aligned for reading as it is. */
export function formatTable(figures: readonly Figure[]): string {
  const rows = [headings, ...figures.map(cellsOf)];
  const widths = headings.map((_, column) =>
    Math.max(...rows.map((cells) => (cells[column] ?? "").length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [first = [], ...others] = rows;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(first), rule, ...others.map(line)].join("\n");
}

function cellsOf(figure: Figure): readonly string[] {
  const { name, count, p50, p90, p99, max, refused, lost } = figure;
  const { spire, target } = references[name] ?? {};
  const missing = lost === undefined || lost === 0 ? "" : `, ${lost} lost`;
  return [
    name,
    `${count ?? ""}${missing}`,
    ...[p50, p90, p99, max].map((value) => value ?? ""),
    refused === undefined ? "" : String(refused),
    spire ?? "",
    target ?? "",
  ];
}
