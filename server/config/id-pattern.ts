import * as z from "zod";
import { IdPattern } from "../../spiffe/id/id-pattern.ts";

/** An {@link IdPattern} in the configuration file. */
export const idPatternSchema: z.ZodType<IdPattern, string> = z
  .string()
  .transform((text, context): IdPattern => {
    try {
      return IdPattern.parse(text);
    } catch (err) {
      context.addIssue(err instanceof Error ? err.message : "invalid pattern");
      return z.NEVER;
    }
  });
