import type { Metrics } from "../../runtime/metrics.ts";
import type { JournalAuditLog } from "./journal-audit-log.ts";

/** Declares what the audit log shows of itself. */
export function addAuditMetrics(metrics: Metrics, audit: JournalAuditLog): void {
  metrics.gauge(
    "assay_server_audit_writable",
    "1 while records can be written; at 0 nothing is issued.",
    [],
    (gauge) => gauge.set(audit.state.value.writable ? 1 : 0),
  );
  metrics.gauge(
    "assay_server_audit_last_seq",
    "Sequence number of the last durable record.",
    [],
    (gauge) => gauge.set(audit.lastSeq),
  );
}
