import type { Counter, Metrics } from "../../runtime/metrics.ts";
import type { LifetimeCap } from "./issuance.ts";

/** How a request for a credential ended. */
export type IssuanceOutcome = "issued" | "denied" | "refused" | "failed";

/** The kinds of credentials that are counted apart. */
export type CredentialKind = "x509" | "jwt" | "wit" | "ca";

/** What the certificate authority counts. */
export interface CaMetrics {
  readonly issued: Counter<"kind" | "outcome">;
  readonly capped: Counter<"kind" | "by">;
}

/** Declares the metrics of the certificate authority. */
export function caMetrics(metrics: Metrics): CaMetrics {
  return {
    issued: metrics.counter(
      "assay_server_svids_total",
      "Credentials that were asked for: issued, denied by policy, refused for a fault of the request, or failed.",
      ["kind", "outcome"],
    ),
    capped: metrics.counter(
      "assay_server_svid_lifetimes_capped_total",
      "Credentials that got a shorter life than was asked for, by policy or by the end of the authority.",
      ["kind", "by"],
    ),
  };
}

/** Counts one credential. */
export function countIssued(
  metrics: CaMetrics,
  kind: CredentialKind,
  outcome: IssuanceOutcome,
  cappedBy?: LifetimeCap,
): void {
  metrics.issued.inc({ kind, outcome });
  if (cappedBy !== undefined) metrics.capped.inc({ kind, by: cappedBy });
}
