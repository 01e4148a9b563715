import type { Health } from "../runtime/health.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Clock } from "../runtime/time/clock.ts";
import type { Core } from "./open-core.ts";
import type { ConnectedAgents } from "./sync/connected-agents.ts";

/**
 * What decides whether this server is ready: its view is whole, it has a key to sign with, and the audit log takes records. A store
 * that fails makes it degraded and no more: taking every server away would turn the outage of a database into one of identity.
 * Nothing here signs.
 */
export function addServerHealth(
  health: Health,
  { authorization, authorities, audit, store }: Core,
  clock: Clock,
): void {
  health.add("view", () =>
    authorization.isCurrent
      ? { state: "ok" }
      : { state: "degraded", detail: "the index lags behind the store" },
  );
  health.add("signing_key", () => {
    const authority = authorities.active.value.x509;
    if (authority === undefined) return { state: "failed", detail: "no X.509 authority can sign" };
    return authority.notAfter > clock.now()
      ? { state: "ok" }
      : { state: "failed", detail: "the X.509 authority has expired" };
  });
  health.add("audit", () => {
    const state = audit.state.value;
    return state.writable ? { state: "ok" } : { state: "failed", detail: state.cause };
  });
  health.add("store", () =>
    store.fault === undefined
      ? { state: "ok" }
      : { state: "degraded", detail: store.fault.message },
  );
}

/** What a server measures of itself, beside its calls and what it issues. */
export function addServerMetrics(
  metrics: Metrics,
  core: Core,
  agents: ConnectedAgents,
  connectionCount: () => number,
): void {
  metrics.addProcess();
  metrics.gauge("assay_server_connections", "Open connections.", [], (gauge) => {
    gauge.set(connectionCount());
  });
  metrics.gauge("assay_server_connected_agents", "Agents with a stream.", [], (gauge) => {
    gauge.set(agents.size);
  });
  metrics.gauge("assay_server_entries", "Registration entries.", [], (gauge) => {
    gauge.set(core.authorization.size);
  });
  metrics.gauge("assay_server_store_revision", "Revision that was committed last.", [], (gauge) => {
    gauge.set(Number(core.store.revision));
  });
  metrics.gauge(
    "assay_server_authority_expires_seconds",
    "Unix time at which the active X.509 authority ends.",
    [],
    (gauge) => {
      const authority = core.authorities.active.value.x509;
      if (authority !== undefined) gauge.set(authority.notAfter.getTime() / 1000);
    },
  );
}
