import type { Health } from "../../runtime/health.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { AcmeCertificate } from "./acme-certificate.ts";

/**
 * Shows when the certificate ends, and that it is missing. Never more than degraded: identities do not depend on it.
 *
 * @param o.check the name of the check
 */
export function watchCertificate(o: {
  readonly health: Health;
  readonly metrics: Metrics;
  readonly certificate: Pick<AcmeCertificate, "current">;
  readonly check: string;
  readonly metric: `assay_${string}_certificate_expires_seconds`;
  readonly clock: Clock;
}): void {
  o.health.add(o.check, () => {
    const { value } = o.certificate.current;
    if (value === undefined) return { state: "degraded", detail: "not obtained yet" };
    return value.notAfter > o.clock.now()
      ? { state: "ok" }
      : { state: "degraded", detail: "the certificate has expired" };
  });
  o.metrics.gauge(
    o.metric,
    "Unix time at which the certificate of ACME ends; 0 before there is one.",
    [],
    (gauge) => {
      gauge.set((o.certificate.current.value?.notAfter.getTime() ?? 0) / 1000);
    },
  );
}
