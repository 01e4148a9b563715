import type { ReadFeed } from "../runtime/feed.ts";
import type { CheckResult, Health } from "../runtime/health.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Clock } from "../runtime/time/clock.ts";
import type { AgentAudit } from "./audit/agent-audit.ts";
import type { WorkloadCache } from "./cache/workload-cache.ts";
import type { WorkloadCounters } from "./endpoints/workload-counters.ts";
import type { HolderStanding } from "./holder/holder-client.ts";
import type { IdentityHolder } from "./identity/identity-holder.ts";
import type { Contact } from "./sync/contact.ts";
import type { KubeletCounters } from "./workload-attestation/k8s/kubelet-pods.ts";

export interface AgentMetricsDeps {
  readonly cache: WorkloadCache;
  readonly identity: IdentityHolder;
  readonly contact: Contact;
  readonly audit: Pick<AgentAudit, "lost">;
  readonly clock: Clock;
}

/** Declares the counters of the Workload API. */
export function workloadCounters(metrics: Metrics): WorkloadCounters {
  const refusals = metrics.counter(
    "assay_agent_workload_refusals_total",
    "Calls of workloads that were refused, by reason.",
    ["reason"],
  );
  const held = metrics.counter(
    "assay_agent_workload_held_total",
    "Callers without identity that were held for a moment (waitForIdentity), by outcome.",
    ["outcome"],
  );
  const rejections = metrics.counter(
    "assay_agent_sds_rejections_total",
    "Secrets that a proxy could not use (NACK).",
    [],
  );
  return {
    refused: (reason) => refusals.inc({ reason }),
    held: (isServed) => held.inc({ outcome: isServed ? "served" : "refused" }),
    secretsRejected: () => rejections.inc(),
  };
}

/** Declares the counters of what the kubelet is asked. */
export function kubeletCounters(metrics: Metrics): KubeletCounters {
  const polls = metrics.histogram(
    "assay_agent_kubelet_poll_seconds",
    "Time until the kubelet listed its pods, or did not, by outcome.",
    ["outcome"],
  );
  const waits = metrics.histogram(
    "assay_agent_kubelet_wait_seconds",
    "Time for which callers were held until the kubelet knew them, by outcome.",
    ["outcome"],
  );
  return {
    polled: (outcome, seconds) => polls.observe({ outcome }, seconds),
    waited: (isFound, seconds) => waits.observe({ outcome: isFound ? "told" : "gave_up" }, seconds),
  };
}

/** Declares what an operator can see of an agent. Everything is read when it is asked for. */
export function addAgentMetrics(metrics: Metrics, deps: AgentMetricsDeps): void {
  const { cache, identity, contact, audit, clock } = deps;
  metrics.gauge("assay_agent_entries", "Registration entries held.", [], (gauge) =>
    gauge.set(cache.entryCount),
  );
  metrics.gauge("assay_agent_x509_svids", "X509-SVIDs held, spares among them.", [], (gauge) =>
    gauge.set(cache.svids.size),
  );
  metrics.gauge("assay_agent_jwt_svids", "JWT-SVIDs held.", [], (gauge) =>
    gauge.set(cache.tokens.jwtSvids.size),
  );
  metrics.gauge("assay_agent_workload_streams", "Open streams of workloads.", [], (gauge) =>
    gauge.set(cache.subscriptions.openCount),
  );
  metrics.gauge("assay_agent_connected", "1 while a server is synchronised with.", [], (gauge) =>
    gauge.set(cache.status.value.connected ? 1 : 0),
  );
  metrics.gauge(
    "assay_agent_view_age_seconds",
    "Time since a server last confirmed what is served here.",
    [],
    (gauge) => gauge.set(contact.ageMs / 1000),
  );
  metrics.gauge(
    "assay_agent_revisions_behind",
    "Revisions of the server's store that are not applied here.",
    [],
    (gauge) => {
      const { revision, serverRevision } = cache.status.value;
      gauge.set(Math.max(0, Number(serverRevision - revision)));
    },
  );
  metrics.gauge(
    "assay_agent_workload_svid_min_left_seconds",
    "Time left to the X509-SVID in use that ends first; 0 when none is in use.",
    [],
    (gauge) => gauge.set(secondsLeft(cache.svids.nextExpiry(), clock)),
  );
  metrics.gauge(
    "assay_agent_audit_records_lost",
    "Audit records given up for want of room since the start.",
    [],
    (gauge) => gauge.set(audit.lost),
  );
  metrics.gauge(
    "assay_agent_svid_expires_at_seconds",
    "When the agent's own SVID ends, in seconds of Unix time; 0 without one.",
    [],
    (gauge) => gauge.set((identity.identity?.notAfter.getTime() ?? 0) / 1000),
  );
}

function secondsLeft(end: Date | undefined, clock: Clock): number {
  return end === undefined ? 0 : Math.max(0, (end.getTime() - clock.now().getTime()) / 1000);
}

/**
 * Declares the agent's health. Ready means that workloads are answered from a view that a server gave; being without a server
 * is degraded, not failed, since the node goes on serving what it has.
 */
export function addAgentHealth(
  health: Health,
  deps: Pick<AgentMetricsDeps, "cache" | "identity" | "contact">,
): void {
  health.add("serving", (): CheckResult => {
    const { serving } = deps.cache.status.value;
    return serving === "ready" ? { state: "ok" } : { state: "failed", detail: serving };
  });
  health.add("server", (): CheckResult => {
    if (deps.cache.status.value.connected) return { state: "ok" };
    const seconds = Math.round(deps.contact.ageMs / 1000);
    return { state: "degraded", detail: `no server for ${seconds} s` };
  });
  health.add("identity", (): CheckResult => {
    const { identity, verdict } = deps.identity.standing.value;
    if (verdict !== undefined) return { state: "degraded", detail: verdict };
    return identity === undefined ? { state: "degraded", detail: "none" } : { state: "ok" };
  });
}

/** Declares the health of a socket that a holder passes: without it no workload can come. */
export function addHolderHealth(health: Health, standing: ReadFeed<HolderStanding>): void {
  health.add("workload_socket", (): CheckResult => {
    const { accepting, released, attached } = standing.value;
    if (released) return { state: "degraded", detail: "a newer agent serves the socket" };
    if (!accepting) return { state: "failed", detail: "no holder has passed the socket" };
    return attached ? { state: "ok" } : { state: "degraded", detail: "the holder is away" };
  });
}
