import type { Counter, Metrics } from "../../runtime/metrics.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { BundleRefresher } from "./bundle-refresher.ts";
import type { Relationships } from "./relationships.ts";

/** Counts fetches of foreign bundles. */
export function fetchCounter(metrics: Metrics): Counter<"outcome"> {
  return metrics.counter(
    "assay_server_federation_fetches_total",
    "Fetches of foreign bundles, by what became of them.",
    ["outcome"],
  );
}

/** Declares what the relationships with foreign trust domains show of themselves. There are as many labels as relationships. */
export function addFederationMetrics(
  metrics: Metrics,
  o: {
    readonly relationships: Relationships;
    readonly refresher: Pick<BundleRefresher, "statusOf">;
    readonly clock: Clock;
  },
): void {
  metrics.gauge(
    "assay_server_federation_bundle_age_seconds",
    "Time since the bundle of a foreign trust domain was last fetched.",
    ["trust_domain"],
    (gauge) => {
      gauge.reset();
      for (const { record } of o.relationships.listed) {
        const { trustDomain: trust_domain } = record;
        const { fetchedAt } = o.refresher.statusOf(trust_domain);
        if (fetchedAt === undefined || record.endedAt !== 0) continue;
        gauge.set({ trust_domain }, (o.clock.now().getTime() - fetchedAt.getTime()) / 1000);
      }
    },
  );
  metrics.gauge(
    "assay_server_federation_failing",
    "Foreign trust domains whose bundle could not be fetched the last time.",
    [],
    (gauge) => {
      const failing = o.relationships.listed.filter(
        ({ record }) => o.refresher.statusOf(record.trustDomain).failure !== undefined,
      );
      gauge.set(failing.length);
    },
  );
  metrics.gauge(
    "assay_server_federation_unlimited",
    "Foreign trust domains that are trusted for everything.",
    [],
    (gauge) => {
      const unlimited = o.relationships.listed.filter(
        ({ record, limits }) => limits.isAny && record.endedAt === 0,
      );
      gauge.set(unlimited.length);
    },
  );
}
