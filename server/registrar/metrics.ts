import type { Counter, Gauge, Histogram, Metrics } from "../../runtime/metrics.ts";

/** Metrics of all registrars of this process. */
export interface RegistrarMetrics {
  /** From a change in the cluster to its entries being written. */
  readonly lag: Histogram<"cluster">;
  readonly written: Counter<"cluster">;
  readonly entries: Gauge<"cluster">;
  readonly pending: Gauge<"cluster">;
  readonly failing: Gauge<"cluster">;
  readonly holds: Gauge<"cluster">;
}

/** Declares them; once for each {@link Metrics}. */
export function registrarMetrics(metrics: Metrics): RegistrarMetrics {
  return {
    lag: metrics.histogram(
      "assay_registrar_lag_seconds",
      "From a change in the cluster to its entries being written.",
      ["cluster"],
    ),
    written: metrics.counter(
      "assay_registrar_entries_written_total",
      "Entries that the registrar created, changed or deleted.",
      ["cluster"],
    ),
    entries: metrics.gauge("assay_registrar_entries", "Entries of the registrar.", ["cluster"]),
    pending: metrics.gauge(
      "assay_registrar_pending",
      "Pods and static entries that wait to be written.",
      ["cluster"],
    ),
    failing: metrics.gauge(
      "assay_registrar_failing",
      "Pods and static entries whose entries the server refuses.",
      ["cluster"],
    ),
    holds: metrics.gauge(
      "assay_registrar_holds",
      "Changes that the registrar does not make until they are confirmed.",
      ["cluster"],
    ),
  };
}
