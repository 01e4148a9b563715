import * as z from "zod";
import { FederationLimits } from "../../../spiffe/bundle/federation-limits.ts";
import { IdPattern } from "../../../spiffe/id/id-pattern.ts";

/** Annotations by which a ClusterFederatedTrustDomain, whose fields know no limits, says what it is for. */
const ALLOW_IDS = "assay.dev/allow-ids";
const ALLOW_AUDIENCES = "assay.dev/allow-audiences";
const ENDS_AT = "assay.dev/ends-at";
const OWNER = "assay.dev/owner";
const PURPOSE = "assay.dev/purpose";

/**
 * Reads the limits from a resource's annotations; lists are separated by spaces or commas. Without patterns and audiences the trust
 * domain is trusted for everything, as the resource has always meant.
 */
export const federationLimitsSchema: z.ZodType<FederationLimits> = z
  .object({ annotations: z.record(z.string(), z.string()).nullish() })
  .transform(({ annotations }, context): FederationLimits => {
    const text = (name: string): string => annotations?.[name] ?? "";
    const list = (name: string): readonly string[] =>
      text(name)
        .split(/[\s,]+/)
        .filter(Boolean);
    try {
      const idPatterns = list(ALLOW_IDS).map((pattern) => IdPattern.parse(pattern));
      const audiences = list(ALLOW_AUDIENCES);
      return new FederationLimits({
        any: idPatterns.length === 0 && audiences.length === 0,
        idPatterns,
        audiences,
        endsAt: readEnd(text(ENDS_AT)),
        owner: text(OWNER).slice(0, 1024),
        purpose: text(PURPOSE).slice(0, 1024),
      });
    } catch (err) {
      context.addIssue({
        code: "custom",
        path: ["annotations"],
        message: err instanceof Error ? err.message : "invalid",
      });
      return z.NEVER;
    }
  });

function readEnd(text: string): Date | undefined {
  if (text === "") return undefined;
  const at = new Date(text);
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(at.getTime())) {
    throw new Error(`${ENDS_AT}: expected a time such as 2027-01-31T00:00:00Z`);
  }
  return at;
}
