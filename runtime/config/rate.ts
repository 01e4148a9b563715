import * as z from "zod";
import type { Rate } from "../time/token-buckets.ts";

/** Decodes a {@link Rate}: with these defaults, and with these words for the reference. */
export function rateSchema(
  defaults: Rate,
  words: { readonly perSecond: string; readonly burst: string; readonly whole: string },
): z.ZodPrefault<z.ZodType<Rate>> {
  return z
    .strictObject({
      perSecond: z
        .number()
        .positive()
        .max(1_000_000)
        .default(defaults.perSecond)
        .describe(words.perSecond),
      burst: z.int().min(1).max(10_000_000).default(defaults.burst).describe(words.burst),
    })
    .prefault({})
    .describe(words.whole);
}
