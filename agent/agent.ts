import { Health } from "../runtime/health.ts";
import { Metrics } from "../runtime/metrics.ts";
import { ObservabilityEndpoint } from "../runtime/observability.ts";
import type { UnixEndpoint } from "../runtime/peer/unix-listener.ts";
import { runTasks } from "../runtime/process/tasks.ts";
import type { X509Svid } from "../spiffe/svid/x509-svid.ts";
import {
  addAgentHealth,
  addAgentMetrics,
  addHolderHealth,
  kubeletCounters,
  workloadCounters,
} from "./agent-metrics.ts";
import { refusalRecord } from "./audit/delivery-records.ts";
import { bootstrapTrust } from "./bootstrap-trust.ts";
import type { WorkloadViews } from "./cache/workload-view.ts";
import type { AgentInfo } from "./endpoints/agent-admin.ts";
import { type BrokerOptions, Endpoints } from "./endpoints/endpoints.ts";
import type { OnRefused } from "./endpoints/refusals.ts";
import { HolderClient } from "./holder/holder-client.ts";
import { asX509Svid } from "./identity/agent-identity.ts";
import { runAttestation } from "./node-attestation/run-attestation.ts";
import { type Core, type CoreDeps, openCore } from "./open-core.ts";
import { runFederationEnds } from "./sync/federation-ends.ts";
import { retryOnReconnect, runHousekeeping } from "./sync/housekeeping.ts";
import { runServing } from "./sync/serving.ts";
import { runSynchronizer } from "./sync/synchronizer.ts";
import { runX509SvidIssuer } from "./sync/x509-svid-issuer.ts";
import { type OpenAttestors, openAttestors } from "./workload-attestation/open-attestors.ts";

/** Everything an agent takes from outside. */
export interface AgentDeps extends CoreDeps {
  /** Where to listen; sockets that a supervisor holds come as descriptors, others from a holder once that is there. */
  readonly workloadSocket: UnixEndpoint | HeldElsewhere;
  readonly adminSocket: UnixEndpoint;
  /** Who may use the admin socket. */
  readonly adminUids: ReadonlySet<number>;
  readonly version: string;
}

/** A socket that somebody else holds, and passes to the newest agent that asks. */
export interface HeldElsewhere {
  /** Path of the holder's socket. */
  readonly holder: string;
  /** When this process started, in milliseconds of the machine's monotonic clock. */
  readonly sinceMs: number;
}

/** Without a server for this long, an agent that can attest again tries whether that helps. */
const CUT_OFF_MS = 60_000;

/**
 * The agent: puts the parts together, in the order of the data, and runs them. It listens when it is open, and serves what its
 * state file holds at once.
 */
export class Agent implements AsyncDisposable {
  readonly #deps: AgentDeps;
  readonly #core: Core;
  readonly #endpoints: Endpoints;
  readonly #attestation: OpenAttestors;
  readonly #holder: HolderClient | undefined;
  readonly #opened: AsyncDisposableStack;

  private constructor(
    deps: AgentDeps,
    parts: {
      core: Core;
      endpoints: Endpoints;
      attestation: OpenAttestors;
      holder: HolderClient | undefined;
    },
    opened: AsyncDisposableStack,
  ) {
    this.#deps = deps;
    this.#core = parts.core;
    this.#endpoints = parts.endpoints;
    this.#attestation = parts.attestation;
    this.#holder = parts.holder;
    this.#opened = opened;
  }

  /** @throws {Error} when the state file may not be used, or a socket cannot be had */
  static async open(deps: AgentDeps): Promise<Agent> {
    const { config, workloadSocket } = deps;
    await using opening = new AsyncDisposableStack();
    const core = await openCore(deps);
    opening.use(core.audit);
    opening.use(core.writer);
    opening.use(core.connection);
    const metrics = new Metrics();
    const attestation = opening.use(
      openAttestors({
        ...deps,
        settings: config.workloadAttestors,
        views: core.cache,
        ...(config.workloadAttestors.k8s && { counters: kubeletCounters(metrics) }),
      }),
    );
    const endpoints = opening.use(
      await Endpoints.open({
        ...deps,
        workloadSocket: "holder" in workloadSocket ? undefined : workloadSocket,
        limits: config.limits,
        sds: config.sds,
        delegation: config.delegation,
        broker: brokerOptions(deps, core),
        waitForIdentityMs: config.waitForIdentity,
        views: core.cache,
        attestation,
        info: () => describeAgent(deps, core),
        onRefused: refusalRecorder(core),
        counters: workloadCounters(metrics),
      }),
    );
    const holder =
      "holder" in workloadSocket ? holderClient(deps, workloadSocket, endpoints) : undefined;
    if (config.observability.enabled) {
      opening.use(await openObservability(deps, core, metrics, holder));
    }
    return new Agent(deps, { core, endpoints, attestation, holder }, opening.move());
  }

  /** What workloads of this node may have, for whoever serves them in this process. */
  get views(): WorkloadViews {
    return this.#core.cache;
  }

  /** Runs until `signal` aborts. A server that is away ends nothing. */
  async run(signal: AbortSignal): Promise<void> {
    const core = this.#core;
    const { cache, contact } = core;
    const { config, clock, random, version } = this.#deps;
    const shared = (component: string) => ({
      ...core,
      clock,
      random,
      log: this.#deps.log.child({ component }),
    });
    await runTasks(
      {
        connection: (stop) => core.connection.run(stop),
        attestation: async (stop) => {
          await bootstrapTrust({ ...shared("trust"), settings: config.trustBundle }, stop);
          const isCutOff = (): boolean =>
            !cache.status.value.connected && contact.ageMs > CUT_OFF_MS;
          await runAttestation({ ...shared("attestation"), isCutOff }, stop);
        },
        synchronization: (stop) =>
          runSynchronizer(
            {
              ...shared("sync"),
              contact: () => contact.made(),
              explain: (pid, stop) => this.#endpoints.explain(pid, stop),
              agentVersion: version,
              maxOfflineMs: config.offline.maxAge,
            },
            stop,
          ),
        pods: (stop) => this.#attestation.run(stop),
        issuer: (stop) => runX509SvidIssuer(shared("issuer"), stop),
        serving: (stop) => runServing(core.serving, stop),
        housekeeping: (stop) => runHousekeeping({ ...core, clock }, stop),
        retry: (stop) => retryOnReconnect(cache, stop),
        federation: (stop) => runFederationEnds(shared("federation"), stop),
        holder: async (stop) => this.#holder?.run(stop),
      },
      signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

function refusalRecorder(core: Core): OnRefused {
  return ({ reason, pid, uid, caller, delegateId }, suppressed) => {
    const executable = caller?.executable;
    const selectors = caller?.selectors ?? [];
    const refused = { reason, pid, uid, executable, delegateId, selectors };
    core.audit.record(refusalRecord(refused, suppressed, core.identity.identity?.id.toString()));
  };
}

/** Where brokers connect, if any may: mutual TLS with the agent's own SVID. */
function brokerOptions({ config }: AgentDeps, core: Core): BrokerOptions | undefined {
  const { brokers, socket, maxStreams, rate } = config.broker;
  if (brokers.length === 0) return undefined;
  const { trust: bundles, identity } = core;
  const x509Svid = (): X509Svid => {
    if (identity.identity === undefined) throw new Error("the agent has no identity yet");
    return asX509Svid(identity.identity);
  };
  const { trustDomain } = bundles;
  return {
    brokers,
    endpoint: socket,
    trustDomain,
    tls: { svid: { x509Svid }, bundles },
    maxStreams,
    rate,
  };
}

/** Longer than a holder takes to be replaced, shorter than what supervisors grant. */
const GIVE_BACK_MS = 8_000;

function holderClient(
  { clock, random, log }: AgentDeps,
  { holder: path, sinceMs }: HeldElsewhere,
  endpoints: Endpoints,
): HolderClient {
  return new HolderClient({
    path,
    sinceMs,
    listen: (fd, socketPod) => endpoints.listenForWorkloads({ fd }, socketPod),
    giveBackMs: GIVE_BACK_MS,
    clock,
    random,
    log: log.child({ component: "holder" }),
  });
}

async function openObservability(
  deps: AgentDeps,
  core: Core,
  metrics: Metrics,
  holder: HolderClient | undefined,
): Promise<ObservabilityEndpoint> {
  const { clock, log } = deps;
  const { address, port } = deps.config.observability;
  const health = new Health({ clock, log });
  metrics.addProcess();
  addAgentHealth(health, core);
  if (holder !== undefined) addHolderHealth(health, holder.standing);
  addAgentMetrics(metrics, { ...core, clock });
  health.addTo(metrics, "assay_agent_health");
  return ObservabilityEndpoint.open({ address, port, health, metrics, log });
}

function describeAgent(deps: AgentDeps, core: Core): AgentInfo {
  const { cache, view, contact, connection, identity } = core;
  const own = identity.identity;
  const { cursor } = view.point;
  return {
    agentId: own?.id.toString() ?? "",
    trustDomain: deps.config.trustDomain,
    version: deps.version,
    uptimeMs: BigInt(Math.round(deps.clock.monotonicMs())),
    serverAddress: cache.status.value.connected ? (connection.current.value?.server ?? "") : "",
    lastContactMs: BigInt(contact.at?.getTime() ?? 0),
    entries: cache.entryCount,
    cachedSvids: cache.svids.size,
    workloadStreams: cache.subscriptions.openCount,
    svidExpiresAt: BigInt(Math.floor((own?.notAfter.getTime() ?? 0) / 1000)),
    syncMode: cursor === undefined ? "poll" : "push",
    ...(cursor === undefined ? {} : { cursor }),
  };
}
