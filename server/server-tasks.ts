import type { Logger } from "../runtime/log.ts";
import { runAudit } from "./audit/run-audit.ts";
import { runPublishers } from "./bundle/publishing/run-publishers.ts";
import { runEntryExpiry } from "./entries/entry-expiry.ts";
import { runFederationEnds } from "./federation/run-ends.ts";
import { heartbeatContent } from "./heartbeat-content.ts";
import { runNodeEviction } from "./node-attestation/k8s-psat/evict-nodes.ts";
import { runAgentPurge } from "./node-attestation/purge-agents.ts";
import type { Parts } from "./open-parts.ts";
import type { ServerDeps } from "./server-deps.ts";
import { runServerRegistrars } from "./server-registrars.ts";
import { heartbeatSeconds } from "./services.ts";
import { runStoreUpkeep } from "./store/store-upkeep.ts";
import { runHeartbeats } from "./sync/heartbeats.ts";

/** How often the connections whose certificate has run out are looked for. */
const SWEEP_MS = 1_000;

/** What a server does in the background, by name; each task runs until its signal aborts. */
export function serverTasks(
  deps: ServerDeps,
  parts: Parts,
): Readonly<Record<string, (signal: AbortSignal) => Promise<void>>> {
  const { clock, random, config } = deps;
  const { core, known, agents, callers, settings, usage, lastSeen } = parts;
  const { store, audit } = core;
  const log = (component: string): Logger => deps.log.child({ component });
  return {
    audit: (stop) =>
      runAudit(
        {
          audit,
          clock,
          log: log("audit"),
          keepMs: config.audit.keepFor,
          exporter: core.auditExporter,
        },
        stop,
      ),
    authorities: (stop) => core.rotator.run(stop),
    identity: (stop) => core.identity.run(stop),
    "bundle publishers": (stop) =>
      runPublishers(
        {
          settings: config.bundlePublishers,
          clusters: known.clusters.feed,
          bundle: core.bundle.feed,
          clock,
          random,
          log: log("bundle"),
        },
        stop,
      ),
    "bundle endpoint": async (stop) => parts.bundleEndpoint?.run(stop),
    federation: (stop) => core.federation.refresher.run(stop),
    "federation ends": (stop) =>
      runFederationEnds(
        {
          relationships: core.federation.relationships,
          store,
          audit,
          clock,
          log: log("federation"),
        },
        stop,
      ),
    "entry expiry": (stop) => runEntryExpiry({ store, clock, random, log: log("entries") }, stop),
    "store upkeep": (stop) => runStoreUpkeep({ store, clock, log: log("store") }, stop),
    "agent purge": (stop) =>
      runAgentPurge(
        {
          store,
          expiredForMs: () => settings.config.agents.purgeExpiredAfter,
          clock,
          log: log("agents"),
        },
        stop,
      ),
    "node eviction": (stop) =>
      runNodeEviction(
        { clusters: known.clusters, store, audit, clock, random, log: log("clusters") },
        stop,
      ),
    ...(parts.oidc === undefined ? {} : { oidc: parts.oidc.run.bind(parts.oidc) }),
    heartbeats: (stop) =>
      runHeartbeats(
        {
          agents,
          leastSeconds: () => heartbeatSeconds(settings),
          content: () => heartbeatContent(core, clock),
          clock,
        },
        stop,
      ),
    "entry usage": (stop) => usage.run(stop),
    registrars: (stop) => runServerRegistrars(deps, parts, stop),
    "last seen": (stop) => lastSeen.run(stop),
    "revoked authorities": async (stop) => {
      for await (const bundle of core.bundle.feed.subscribe(stop)) callers.applyBundle(bundle);
    },
    "expired certificates": async (stop) => {
      while (!stop.aborted) {
        await clock.sleep(SWEEP_MS, stop);
        callers.sweep();
      }
    },
  };
}
