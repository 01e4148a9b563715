import type { Duplex } from "node:stream";
import { Health } from "../runtime/health.ts";
import { Ids } from "../runtime/ids.ts";
import { Metrics } from "../runtime/metrics.ts";
import { ObservabilityEndpoint } from "../runtime/observability.ts";
import { RpcServer } from "../runtime/rpc/server.ts";
import { watchCertificate } from "./acme/watch-certificate.ts";
import type { Caller } from "./api/caller.ts";
import { interceptors } from "./api/interceptors/interceptors.ts";
import { RateLimiter } from "./api/rate-limit.ts";
import { AgentArchive } from "./audit/agent-archive.ts";
import { addClusterHealth, addClusterMetrics } from "./cluster-health.ts";
import { SettingsInForce } from "./config/settings-in-force.ts";
import { AdminSocket } from "./endpoints/admin-socket.ts";
import { AgentEndpoint } from "./endpoints/agent-endpoint.ts";
import { BundleEndpoint } from "./endpoints/bundle/bundle-endpoint.ts";
import { NetworkCallers } from "./endpoints/network-callers.ts";
import type { KnownClusters } from "./k8s/known-clusters.ts";
import { FirstUse } from "./node-attestation/first-use.ts";
import { LastSeen } from "./node-attestation/last-seen.ts";
import type { ProviderEndpoint } from "./oidc/provider-endpoint.ts";
import { openClusters } from "./open-clusters.ts";
import { type Core, openCore } from "./open-core.ts";
import { openOidc } from "./open-oidc.ts";
import { openReload, type Reloading } from "./open-reload.ts";
import { registrarMetrics } from "./registrar/metrics.ts";
import type { ServerDeps } from "./server-deps.ts";
import { serverFiles } from "./server-files.ts";
import { addServerHealth, addServerMetrics } from "./server-health.ts";
import type { RegistrarParts } from "./server-registrars.ts";
import { makeServices } from "./services.ts";
import { EntryUsage } from "./svid/entry-usage.ts";
import { ConnectedAgents } from "./sync/connected-agents.ts";

/** The parts of a server that is open. */
export interface Parts {
  readonly core: Core;
  readonly settings: SettingsInForce;
  readonly known: KnownClusters;
  readonly agents: ConnectedAgents;
  readonly callers: NetworkCallers;
  readonly usage: EntryUsage;
  readonly lastSeen: LastSeen;
  readonly archive: AgentArchive;
  readonly rpc: RpcServer<Caller>;
  readonly adminSocket: AdminSocket;
  readonly endpoint: AgentEndpoint;
  /** Present where the configuration wants the bundle to be served over HTTPS. */
  readonly bundleEndpoint: BundleEndpoint | undefined;
  readonly observability: ObservabilityEndpoint | undefined;
  readonly oidc: ProviderEndpoint | undefined;
  readonly reload: Reloading["reload"];
  readonly registrars: RegistrarParts;
}

/** Opens the core, the listeners and the services, in the order of the data; `opening` closes them in reverse. */
export async function openParts(deps: ServerDeps, opening: AsyncDisposableStack): Promise<Parts> {
  const { config, clock, random, log } = deps;
  const metrics = new Metrics();
  const health = new Health({ clock, log });
  const core = await openCore({ config, clock, random, log, metrics }, opening);
  const { store, audit } = core;
  const settings = new SettingsInForce(config, deps.ownUid);
  const limiter = new RateLimiter({ clock, rates: config.limits.rates });
  const known = opening.use(await openClusters(deps, store));
  const reloading = await openReload(deps, { core, settings, limiter, known });
  const agents = new ConnectedAgents();
  const usage = new EntryUsage({ store, clock, log });
  const lastSeen = new LastSeen({ store, clock, log });
  const firstUse = new FirstUse({ store, log });
  const { maxSegmentBytes } = config.audit;
  const directory = serverFiles(config).agentAudit;
  const archive = new AgentArchive({ directory, audit, log, maxSegmentBytes });

  // The listeners know the callers and hand over their sockets; the RPC server asks who is on a connection, and ends it.
  const callers = opening.use(
    new NetworkCallers({
      store,
      clock,
      grantsOf: (id) => settings.grantsOfId(id),
      closeConnection: (id, reason) => rpc.closeConnection(id, reason),
    }),
  );
  // A listener accepts as soon as it listens, which is before the others are there.
  const complete = Promise.withResolvers<void>();
  const inject = async (socket: Duplex, connectionId: string): Promise<void> => {
    await complete.promise;
    rpc.inject(socket, connectionId);
  };
  const adminSocket: AdminSocket = opening.use(
    await AdminSocket.open({
      endpoint: deps.adminSocket,
      grantsOfUser: (uid) => settings.grantsOfUser(uid),
      inject,
      log,
      random,
    }),
  );
  const served = {
    services: makeServices({
      ...deps,
      core,
      settings,
      known,
      agents,
      attestors: reloading.attestors,
      usage,
      lastSeen,
      archive,
      health,
      keepOpen: (connectionId) => callers.keepOpen(connectionId),
      reload: reloading.reload,
    }),
    interceptors: interceptors({
      clock,
      metrics,
      limiter,
      audit,
      agentSeen: async (agent) => {
        lastSeen.note(agent.id);
        await firstUse.seen(agent);
      },
    }),
  };
  const rpc: RpcServer<Caller> = opening.use(
    RpcServer.create<Caller>({
      ...served,
      callerOf: (id) => adminSocket.callerOf(id) ?? callers.callerOf(id),
      log,
      clock,
      random,
      limits: {
        maxReceiveBytes: config.limits.maxMessageBytes,
        maxConcurrentStreams: config.limits.maxStreamsPerConnection,
        slowReaderMs: config.limits.slowReaderTimeout,
        // The kernel asks the other end of a TCP connection, and agents give signs of life themselves.
        keepaliveMs: 0,
      },
    }),
  );
  const endpoint = opening.use(
    await AgentEndpoint.open({
      listen: config.listen,
      limits: config.limits,
      renewGrace: () => settings.config.agents.renewGrace,
      identity: core.identity.feed,
      bundle: core.bundle.feed,
      callers,
      ids: new Ids(random),
      inject,
      clock,
      log: log.child({ component: "endpoint" }),
    }),
  );

  const bundleEndpoint = await openBundleEndpoint(deps, core, opening);
  if (bundleEndpoint?.acme !== undefined) {
    watchCertificate({
      health,
      metrics,
      certificate: bundleEndpoint.acme,
      check: "bundle_endpoint_certificate",
      metric: "assay_server_bundle_endpoint_certificate_expires_seconds",
      clock,
    });
  }

  addServerHealth(health, core, clock);
  addClusterHealth(health, known.clusters);
  addClusterMetrics(metrics, known.clusters);
  health.addTo(metrics, "assay_server_health");
  addServerMetrics(metrics, core, agents, () => rpc.connectionCount);
  const { enabled, address, port } = config.observability;
  const observability = enabled
    ? opening.use(await ObservabilityEndpoint.open({ address, port, health, metrics, log }))
    : undefined;
  const oidc =
    config.oidc === undefined ? undefined : opening.use(await openOidc(deps, config.oidc, core));
  if (oidc?.acme !== undefined) {
    watchCertificate({
      health,
      metrics,
      certificate: oidc.acme,
      check: "oidc_certificate",
      metric: "assay_server_oidc_certificate_expires_seconds",
      clock,
    });
  }
  const { reload } = reloading;
  complete.resolve();
  return {
    core,
    settings,
    known,
    agents,
    callers,
    usage,
    lastSeen,
    archive,
    rpc,
    adminSocket,
    endpoint,
    bundleEndpoint,
    observability,
    oidc,
    reload,
    registrars: { ...served, metrics: registrarMetrics(metrics) },
  };
}

async function openBundleEndpoint(
  { config, clock, random, log }: ServerDeps,
  { bundle, identity }: Core,
  opening: AsyncDisposableStack,
): Promise<BundleEndpoint | undefined> {
  const { bundleEndpoint: settings } = config.federation;
  if (settings === undefined) return undefined;
  const endpoint = await BundleEndpoint.open({
    settings,
    bundle: bundle.feed,
    identity: identity.feed,
    clock,
    random,
    log: log.child({ component: "bundle_endpoint" }),
  });
  return opening.use(endpoint);
}
