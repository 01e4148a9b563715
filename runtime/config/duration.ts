import * as z from "zod";

const EXPECTED = 'expected a duration such as "90s", "1h30m" or "7d"';

const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

const FORM = /^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9})s)?(?:(\d{1,9})ms)?$/;

/**
 * Reads a duration such as "90s", "1h30m" or "7d" as milliseconds: whole numbers, each with a unit, larger units first.
 * Undefined for everything else, a number without a unit above all.
 */
export function parseDuration(text: string): number | undefined {
  const match = text === "" ? null : FORM.exec(text);
  if (match === null) return undefined;
  return UNITS.reduce((sum, [, ms], index) => sum + Number(match[index + 1] ?? 0) * ms, 0);
}

/** Writes milliseconds as {@link parseDuration} reads them: "1h30m". */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  let text = "";
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === "" ? "0s" : text;
}

/** A duration in a configuration file: text in the file, milliseconds in code. */
export const durationSchema: z.ZodType<number, string> = z
  .string({ error: EXPECTED })
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined) return ms;
    context.addIssue(EXPECTED);
    return z.NEVER;
  })
  .meta({ title: "duration" });
