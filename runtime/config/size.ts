import * as z from "zod";

const EXPECTED = 'expected a size such as "64KiB" or "4MiB"';

const UNITS: ReadonlyMap<string, number> = new Map([
  ["B", 1],
  ["kB", 1000],
  ["MB", 1000 ** 2],
  ["GB", 1000 ** 3],
  ["KiB", 1024],
  ["MiB", 1024 ** 2],
  ["GiB", 1024 ** 3],
]);

/** Reads a size such as "4MiB", "64KiB" or "100MB" as bytes; undefined for everything else, a number without unit above all. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,12})([A-Za-z]{1,3})$/.exec(text);
  const unit = UNITS.get(match?.[2] ?? "");
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

/** Writes bytes as {@link parseSize} reads them, in the largest binary unit that fits without a rest. */
export function formatSize(bytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"] as const) {
    const size = UNITS.get(unit) ?? 1;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}

/** A size in a configuration file: text in the file, bytes in code. */
export const sizeSchema: z.ZodType<number, string> = z
  .string({ error: EXPECTED })
  .transform((text, context) => {
    const bytes = parseSize(text);
    if (bytes !== undefined) return bytes;
    context.addIssue(EXPECTED);
    return z.NEVER;
  })
  .meta({ title: "size" });
