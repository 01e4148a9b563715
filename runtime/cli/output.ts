/**
 * Prints results as a table for people, or as JSON or YAML for programs. The JSON of a command is its
 * contract: field names are snake_case and stay.
 */
import { stringify } from "yaml";

export const OUTPUT_FORMATS = ["table", "json", "yaml"] as const;

export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** What JSON can hold; bigint is printed as a number, Date as RFC 3339. */
export type Printable =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | Date
  | readonly Printable[]
  | { readonly [key: string]: Printable };

export type Row = Readonly<Record<string, Printable>>;

/**
 * Formats a list of rows.
 *
 * @param columns which fields a table shows, in order; JSON and YAML hold every field
 */
export function formatRows(
  rows: readonly Row[],
  columns: readonly string[],
  format: OutputFormat,
): string {
  return format === "table" ? formatTable(rows, columns) : formatData(rows, format);
}

/** Formats one thing: in a table format one `field: value` line each, without the empty ones. */
export function formatOne(row: Row, format: OutputFormat): string {
  if (format !== "table") return formatData(row, format);
  const shown = Object.entries(row).filter(([, value]) => !isEmpty(value));
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${`${name}:`.padEnd(width + 2)}${cell(value)}\n`).join("");
}

function formatData(value: Printable, format: "json" | "yaml"): string {
  if (format === "yaml") return stringify(plain(value), { lineWidth: 0 });
  return `${JSON.stringify(plain(value), undefined, 2)}\n`;
}

function formatTable(rows: readonly Row[], columns: readonly string[]): string {
  const header = columns.map((column) => column.toUpperCase().replaceAll("_", " "));
  const lines = [header, ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
    .concat("\n");
}

function isEmpty(value: Printable): boolean {
  return (
    value === undefined ||
    value === null ||
    value === "" ||
    (Array.isArray(value) && value.length === 0)
  );
}

/** Text from elsewhere must not drive the reader's terminal: control characters are shown escaped. */
function cell(value: Printable): string {
  if (isEmpty(value)) return "-";
  const text = Array.isArray(value)
    ? value.map(cell).join(", ")
    : value instanceof Date
      ? value.toISOString()
      : typeof value === "object"
        ? JSON.stringify(plain(value))
        : String(value);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => JSON.stringify(c).slice(1, -1));
}

function plain(value: Printable): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value.toString();
  }
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}
