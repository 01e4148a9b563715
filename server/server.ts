import type { Duplex } from "node:stream";
import { create } from "@bufbuild/protobuf";
import { AuditHeadSchema, CursorSchema } from "../proto/gen/assay/sync/v1/sync_pb.ts";
import { Health } from "../runtime/health.ts";
import { Ids } from "../runtime/ids.ts";
import type { Logger } from "../runtime/log.ts";
import { Metrics } from "../runtime/metrics.ts";
import { ObservabilityEndpoint } from "../runtime/observability.ts";
import type { UnixEndpoint } from "../runtime/peer/unix-listener.ts";
import { runTasks } from "../runtime/process/tasks.ts";
import type { Random } from "../runtime/random.ts";
import { RpcServer } from "../runtime/rpc/server.ts";
import type { Clock } from "../runtime/time/clock.ts";
import type { Caller } from "./api/caller.ts";
import { interceptors } from "./api/interceptors/interceptors.ts";
import { RateLimiter } from "./api/rate-limit.ts";
import { AgentArchive } from "./audit/agent-archive.ts";
import { runAudit } from "./audit/run-audit.ts";
import { applicableParts, type ConfigDifference, compareConfigs } from "./config/reload.ts";
import type { ServerConfig } from "./config/server-config.ts";
import { SettingsInForce } from "./config/settings-in-force.ts";
import { AdminSocket } from "./endpoints/admin-socket.ts";
import { AgentEndpoint } from "./endpoints/agent-endpoint.ts";
import { NetworkCallers } from "./endpoints/network-callers.ts";
import { runEntryExpiry } from "./entries/entry-expiry.ts";
import { FirstUse } from "./node-attestation/first-use.ts";
import { LastSeen } from "./node-attestation/last-seen.ts";
import { makeAttestors } from "./node-attestation/make-attestors.ts";
import type { NodeAttestor } from "./node-attestation/node-attestor.ts";
import { runAgentPurge } from "./node-attestation/purge-agents.ts";
import { type Core, openCore } from "./open-core.ts";
import { serverFiles } from "./server-files.ts";
import { addServerHealth, addServerMetrics } from "./server-health.ts";
import { heartbeatSeconds, makeServices } from "./services.ts";
import { runStoreUpkeep } from "./store/store-upkeep.ts";
import { EntryUsage } from "./svid/entry-usage.ts";
import { ConnectedAgents } from "./sync/connected-agents.ts";
import { runHeartbeats } from "./sync/heartbeats.ts";

/** Everything a server takes from outside. */
export interface ServerDeps {
  readonly config: ServerConfig;
  /** Reads the configuration again. */
  readonly readConfig: () => Promise<ServerConfig>;
  /** Where to listen for administration; a socket that a supervisor holds comes as a descriptor. */
  readonly adminSocket: UnixEndpoint;
  /** The user that the server runs as. */
  readonly ownUid: number;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** How long calls that are under way may take when the server stops. */
const DRAIN_MS = 10_000;
const SWEEP_MS = 1_000;

/**
 * The server: puts the parts together, in the order of the data, and runs them. It serves as soon as it is open; what runs in the
 * background runs with {@link Server.run}.
 */
export class Server implements AsyncDisposable {
  readonly #deps: ServerDeps;
  readonly #parts: Parts;
  readonly #opened: AsyncDisposableStack;

  private constructor(deps: ServerDeps, parts: Parts, opened: AsyncDisposableStack) {
    this.#deps = deps;
    this.#parts = parts;
    this.#opened = opened;
  }

  /** @throws {Error} when the data folder, an address or a socket cannot be had, or a file that the configuration names */
  static async open(deps: ServerDeps): Promise<Server> {
    await using opening = new AsyncDisposableStack();
    const parts = await openParts(deps, opening);
    return new Server(deps, parts, opening.move());
  }

  /** The TCP port that agents connect to. */
  get port(): number {
    return this.#parts.endpoint.address.port;
  }

  /** The port of the listener for health and metrics; undefined without one. */
  get observabilityPort(): number | undefined {
    return this.#parts.observability?.port;
  }

  /** Reads the configuration again and applies of it what a running server can. @throws {ConfigError} and applies nothing */
  reload(options: { readonly dryRun: boolean }): Promise<ConfigDifference> {
    return this.#parts.reload(options);
  }

  /** Runs until `signal` aborts, then stops accepting, lets calls end, and stops the rest. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const stopping = new AbortController();
    const tasks = runTasks(this.#tasks(), stopping.signal);
    await Promise.race([tasks, untilAborted(clock, signal)]);
    await this.#stopServing();
    stopping.abort();
    await tasks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }

  async #stopServing(): Promise<void> {
    const { endpoint, adminSocket, rpc } = this.#parts;
    endpoint.stopAccepting();
    await adminSocket[Symbol.asyncDispose]();
    await rpc.drain(DRAIN_MS);
  }

  #tasks(): Readonly<Record<string, (signal: AbortSignal) => Promise<void>>> {
    const { clock, random, config } = this.#deps;
    const { core, agents, callers, settings, usage, lastSeen } = this.#parts;
    const { store, audit } = core;
    const log = (component: string): Logger => this.#deps.log.child({ component });
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
      heartbeats: (stop) =>
        runHeartbeats(
          {
            agents,
            intervalSeconds: heartbeatSeconds(settings),
            content: () => heartbeatOf(core, clock),
            clock,
          },
          stop,
        ),
      "entry usage": (stop) => usage.run(stop),
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
}

/** The parts of a server that is open. */
interface Parts {
  readonly core: Core;
  readonly settings: SettingsInForce;
  readonly agents: ConnectedAgents;
  readonly callers: NetworkCallers;
  readonly usage: EntryUsage;
  readonly lastSeen: LastSeen;
  readonly rpc: RpcServer<Caller>;
  readonly adminSocket: AdminSocket;
  readonly endpoint: AgentEndpoint;
  readonly observability: ObservabilityEndpoint | undefined;
  readonly reload: (options: { readonly dryRun: boolean }) => Promise<ConfigDifference>;
}

async function openParts(deps: ServerDeps, opening: AsyncDisposableStack): Promise<Parts> {
  const { config, clock, random, log } = deps;
  const metrics = new Metrics();
  const health = new Health({ clock, log });
  const core = await openCore({ config, clock, random, log, metrics }, opening);
  const { store, audit } = core;
  const settings = new SettingsInForce(config, deps.ownUid);
  const limiter = new RateLimiter({ clock, rates: config.limits.rates });
  const reloading = await openReload(deps, { core, settings, limiter });
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
  const inject = (socket: Duplex, connectionId: string): void => {
    void complete.promise.then(() => rpc.inject(socket, connectionId));
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
  const rpc: RpcServer<Caller> = opening.use(
    RpcServer.create<Caller>({
      services: makeServices({
        ...deps,
        core,
        settings,
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
      callerOf: (id) => adminSocket.callerOf(id) ?? callers.callerOf(id),
      log,
      clock,
      random,
      limits: {
        maxReceiveBytes: config.limits.maxMessageBytes,
        maxConcurrentStreams: config.limits.maxStreamsPerConnection,
        slowReaderMs: config.limits.slowReaderTimeout,
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

  addServerHealth(health, core, clock);
  health.addTo(metrics, "assay_server_health");
  addServerMetrics(metrics, core, agents, () => rpc.connectionCount);
  const { enabled, address, port } = config.observability;
  const observability = enabled
    ? opening.use(await ObservabilityEndpoint.open({ address, port, health, metrics, log }))
    : undefined;
  const { reload } = reloading;
  complete.resolve();
  return {
    core,
    settings,
    agents,
    callers,
    usage,
    lastSeen,
    rpc,
    adminSocket,
    endpoint,
    observability,
    reload,
  };
}

/** What a reload changes, as it is now. */
interface Reloading {
  readonly attestors: () => ReadonlyMap<string, NodeAttestor>;
  readonly reload: Parts["reload"];
}

async function openReload(
  deps: ServerDeps,
  parts: { readonly core: Core; readonly settings: SettingsInForce; readonly limiter: RateLimiter },
): Promise<Reloading> {
  const { core, settings, limiter } = parts;
  const { trustDomain, store, bundle } = core;
  const attestorDeps = {
    ...deps,
    trustDomain,
    store,
    bundles: { bundleFor: (wanted: typeof trustDomain) => bundle.feed.value.bundleFor(wanted) },
  };
  let attestors = await makeAttestors(deps.config.nodeAttestors, attestorDeps);
  return {
    attestors: () => attestors,
    reload: async ({ dryRun }) => {
      const read = await deps.readConfig();
      const difference = compareConfigs(settings.config, read);
      const next = applicableParts(settings.config, read);
      // Made in any case: the files that they read may have changed.
      const madeAttestors = await makeAttestors(next.nodeAttestors, attestorDeps);
      if (dryRun) return difference;
      if (settings.config.log.level !== next.log.level) deps.log.level = next.log.level;
      attestors = madeAttestors;
      settings.replace(next);
      limiter.setRates(next.limits.rates);
      return difference;
    },
  };
}

function heartbeatOf({ store, authorization, epoch, audit }: Core, clock: Clock) {
  const head = audit.head.value;
  return {
    cursor: create(CursorSchema, {
      incarnation: store.incarnation,
      revision: authorization.revision,
    }),
    revocationEpoch: epoch.value,
    serverTimeMs: BigInt(clock.now().getTime()),
    ...(head === undefined
      ? {}
      : {
          auditHead: create(AuditHeadSchema, {
            writer: head.writer,
            seq: BigInt(head.seq),
            hash: Buffer.from(head.hash, "hex"),
            timeMs: BigInt(head.time.getTime()),
            signature: head.signature,
            keyId: head.keyId,
          }),
        }),
  };
}

async function untilAborted(clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await clock.sleep(3_600_000, signal);
}
