import * as z from "zod";

const MS_BY_UNIT: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 0.001,
  µs: 0.001,
  ns: 0.000_001,
};
const FORM = /^(?:\d{1,9}(?:\.\d{1,9})?(?:h|m|s|ms|us|µs|ns)){1,8}$/;
const PART = /(\d{1,9}(?:\.\d{1,9})?)(h|ms|m|s|us|µs|ns)/g;

/** Reads a duration as Kubernetes writes it, "1h30m" or "0s", as whole seconds, rounded down; undefined for anything else. */
export function parseGoDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!FORM.test(text)) return undefined;
  let ms = 0;
  for (const [, count, unit] of text.matchAll(PART)) {
    ms += Number(count) * (MS_BY_UNIT[unit ?? ""] ?? 0);
  }
  return Math.floor(ms / 1000);
}

/** A lifetime in a resource: Go's text there, whole seconds here, 0 for the server's default. */
export const goDurationSchema: z.ZodType<number> = z
  .string()
  .transform((text, context) => {
    const seconds = parseGoDuration(text);
    if (seconds !== undefined && seconds <= 2 ** 31 - 1) return seconds;
    context.addIssue('expected a duration such as "1h30m"');
    return z.NEVER;
  })
  .default(0);
