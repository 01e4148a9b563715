import { dirname, join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { AgentStateSchema } from "../proto/gen/assay/agent/v1/state_pb.ts";
import { Feed } from "../runtime/feed.ts";
import { Health } from "../runtime/health.ts";
import type { Logger } from "../runtime/log.ts";
import { Metrics } from "../runtime/metrics.ts";
import { ObservabilityEndpoint } from "../runtime/observability.ts";
import type { UnixEndpoint } from "../runtime/peer/unix-listener.ts";
import { runTasks } from "../runtime/process/tasks.ts";
import type { Random } from "../runtime/random.ts";
import { Backoff } from "../runtime/time/backoff.ts";
import type { Clock } from "../runtime/time/clock.ts";
import { TrustDomain } from "../spiffe/id/trust-domain.ts";
import { addAgentHealth, addAgentMetrics } from "./agent-metrics.ts";
import { AgentAudit } from "./audit/agent-audit.ts";
import { AuditWitness } from "./audit/audit-witness.ts";
import { deliveryRecord, refusalRecord } from "./audit/delivery-records.ts";
import { RepeatFilter } from "./audit/repeat-filter.ts";
import { KeyPool } from "./cache/key-pool.ts";
import { WorkloadCache } from "./cache/workload-cache.ts";
import type { WorkloadViews } from "./cache/workload-view.ts";
import type { AgentConfig } from "./config/agent-config.ts";
import { ServerConnection } from "./connection/server-connection.ts";
import type { AgentInfo } from "./endpoints/agent-admin.ts";
import { Endpoints } from "./endpoints/endpoints.ts";
import type { OnRefused } from "./endpoints/refusals.ts";
import { exportPrivateKey, storeIdentity } from "./identity/agent-identity.ts";
import { IdentityHolder } from "./identity/identity-holder.ts";
import { TrustStore } from "./identity/trust-store.ts";
import { AttestationMemory } from "./node-attestation/attestation-memory.ts";
import { JoinTokenAttestor } from "./node-attestation/join-token.ts";
import type { NodeAttestor } from "./node-attestation/node-attestor.ts";
import { runAttestation } from "./node-attestation/run-attestation.ts";
import { X509PopAttestor } from "./node-attestation/x509pop.ts";
import { type OpenedState, openState } from "./open-state.ts";
import { bootstrapBundle } from "./state/bootstrap-bundle.ts";
import type { NodeFacts } from "./state/node-binding.ts";
import { StateWriter } from "./state/state-writer.ts";
import { BindingQueue } from "./sync/binding-queue.ts";
import { Contact } from "./sync/contact.ts";
import { retryOnReconnect, runHousekeeping } from "./sync/housekeeping.ts";
import { DEFAULT_ISSUANCE_LIMITS, type IssuanceLimits } from "./sync/issuance-limits.ts";
import { jwtSvidIssuer } from "./sync/issue-jwt-svid.ts";
import { restoreView, storeView } from "./sync/persisted-view.ts";
import { runServing, type ServingDeps, updateServing } from "./sync/serving.ts";
import { SyncedView } from "./sync/synced-view.ts";
import { runSynchronizer } from "./sync/synchronizer.ts";
import { runX509SvidIssuer } from "./sync/x509-svid-issuer.ts";

/** Everything an agent takes from outside. */
export interface AgentDeps {
  readonly config: AgentConfig;
  /** Where to listen; sockets that a supervisor holds come as descriptors. */
  readonly workloadSocket: UnixEndpoint;
  readonly adminSocket: UnixEndpoint;
  /** Who may use the admin socket. */
  readonly adminUids: ReadonlySet<number>;
  readonly nodeFacts: NodeFacts;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Key pairs made in advance, so that a new entry does not wait for one. */
const KEY_POOL_SIZE = 8;
const BOOTSTRAP_MAX_RETRY_MS = 30_000;

/**
 * The agent: puts the parts together, in the order of the data, and runs them. It listens when it is open, and serves what its
 * state file holds at once.
 */
export class Agent implements AsyncDisposable {
  readonly #deps: AgentDeps;
  readonly #core: Core;
  readonly #endpoints: Endpoints;
  readonly #opened: AsyncDisposableStack;

  private constructor(
    deps: AgentDeps,
    core: Core,
    endpoints: Endpoints,
    opened: AsyncDisposableStack,
  ) {
    this.#deps = deps;
    this.#core = core;
    this.#endpoints = endpoints;
    this.#opened = opened;
  }

  /** @throws {Error} when the state file may not be used, or a socket cannot be had */
  static async open(deps: AgentDeps): Promise<Agent> {
    const { config, clock, random, log } = deps;
    await using opening = new AsyncDisposableStack();
    const core = await openCore(deps);
    opening.use(core.audit);
    opening.use(core.writer);
    opening.use(core.connection);
    const endpoints = opening.use(
      await Endpoints.open({
        workloadSocket: deps.workloadSocket,
        adminSocket: deps.adminSocket,
        adminUids: deps.adminUids,
        limits: config.limits,
        waitForIdentityMs: config.waitForIdentity,
        views: core.cache,
        info: () => describeAgent(deps, core),
        onRefused: refusalRecorder(core),
        clock,
        random,
        log,
      }),
    );
    if (config.observability.enabled) opening.use(await openObservability(deps, core));
    return new Agent(deps, core, endpoints, opening.move());
  }

  /** What workloads of this node may have, for whoever serves them in this process. */
  get views(): WorkloadViews {
    return this.#core.cache;
  }

  /** Runs until `signal` aborts. A server that is away ends nothing. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    const { cache, connection, identity, trust, view, contact, limits, persist, changed } =
      this.#core;
    const log = (component: string): Logger => this.#deps.log.child({ component });
    await runTasks(
      {
        connection: (stop) => connection.run(stop),
        attestation: async (stop) => {
          await this.#bootstrapTrust(stop);
          const { attestor, memory } = this.#core;
          await runAttestation(
            {
              attestor,
              memory,
              identity,
              trust,
              connection,
              persist,
              clock,
              random,
              log: log("attestation"),
            },
            stop,
          );
        },
        synchronization: (stop) =>
          runSynchronizer(
            {
              view,
              cache,
              connection,
              identity,
              limits,
              persist,
              changed,
              bindings: this.#core.bindings,
              audit: this.#core.audit,
              witness: this.#core.witness,
              contact: () => contact.made(),
              explain: async (pid) => this.#endpoints.explain(pid),
              agentVersion: this.#deps.version,
              clock,
              random,
              log: log("sync"),
            },
            stop,
          ),
        issuer: (stop) =>
          runX509SvidIssuer(
            {
              cache,
              connection,
              limits,
              changed,
              keys: this.#core.keys,
              clock,
              random,
              log: log("issuer"),
            },
            stop,
          ),
        serving: (stop) => runServing(this.#core.serving, stop),
        housekeeping: (stop) => runHousekeeping({ cache, contact, changed, clock }, stop),
        retry: (stop) => retryOnReconnect(cache, stop),
      },
      signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }

  /** Finds what the first server is verified with, for as long as it takes. */
  async #bootstrapTrust(signal: AbortSignal): Promise<void> {
    const { config, clock, random, log } = this.#deps;
    const { trust } = this.#core;
    const backoff = new Backoff({ baseMs: 500, maxMs: BOOTSTRAP_MAX_RETRY_MS, random });
    while (!trust.isKnown && !signal.aborted) {
      try {
        const bundle = await bootstrapBundle(config.trustBundle, trust.trustDomain, signal);
        if (bundle !== undefined) {
          trust.begin(bundle);
          return;
        }
        log.warn("Trusting the first server unseen, as trustBundle.insecure says");
        trust.trustUnseen();
        return;
      } catch (err) {
        if (signal.aborted) return;
        const ms = backoff.nextMs();
        log.error({ err, retry_in_ms: ms }, "Trust bundle for the first server cannot be had");
        await clock.sleep(ms, signal);
      }
    }
  }
}

/** The parts behind the endpoints. */
interface Core {
  readonly identity: IdentityHolder;
  readonly trust: TrustStore;
  readonly connection: ServerConnection;
  readonly attestor: NodeAttestor;
  readonly memory: AttestationMemory;
  readonly keys: KeyPool;
  readonly cache: WorkloadCache;
  readonly view: SyncedView;
  readonly bindings: BindingQueue;
  readonly audit: AgentAudit;
  readonly witness: AuditWitness;
  readonly contact: Contact;
  readonly limits: Feed<IssuanceLimits>;
  readonly serving: ServingDeps;
  readonly writer: StateWriter;
  readonly persist: () => Promise<void>;
  readonly changed: () => void;
}

async function openCore(deps: AgentDeps): Promise<Core> {
  const { config, clock, random, log } = deps;
  const trustDomain = TrustDomain.parse(config.trustDomain);
  const state = await openState({
    settings: config.state,
    trustDomain,
    nodeFacts: deps.nodeFacts,
    log,
  });
  const { loaded } = state;

  const identity = new IdentityHolder({
    identity: state.identity,
    verdict: loaded?.banned ? "banned" : undefined,
  });
  const trust = new TrustStore(trustDomain);
  const connection = new ServerConnection({
    servers: config.servers,
    identity,
    trust,
    clock,
    random,
    log,
  });
  const memory = new AttestationMemory(state.attestation);
  const attestor = makeAttestor(config, memory, random);

  const audit = await AgentAudit.open({
    directory: config.audit.directory ?? join(dirname(config.state.path), "audit"),
    maxBytes: config.audit.maxSize,
    identity,
    clock,
    log,
  });
  const witness = new AuditWitness(log, loaded?.witnessed ?? []);
  const agentId = (): string | undefined => identity.identity?.id.toString();

  const deliveries = new RepeatFilter(clock);
  const bindings = new BindingQueue();
  const onBinding = bindings.add.bind(bindings);
  const cache = new WorkloadCache({
    trustDomain: trustDomain.name,
    clock,
    random,
    maxX509Svids: config.limits.maxX509Svids,
    maxJwtSvids: config.limits.maxJwtSvids,
    issueJwtSvid: jwtSvidIssuer({ connection, clock, onBinding }),
    onBinding,
    onDelivery: (delivery) => {
      const { kind, entryId, credential, instance, executable, uid } = delivery;
      const what = JSON.stringify([kind, entryId, credential, instance, executable, uid]);
      const suppressed = deliveries.admit(what);
      if (suppressed === undefined) return;
      audit.record(deliveryRecord(delivery, suppressed, agentId()));
    },
  });
  const lastContactMs = Number(loaded?.lastContactMs ?? 0n);
  const contact = new Contact(clock, lastContactMs === 0 ? undefined : new Date(lastContactMs));
  const point = loaded && restoreView(loaded, { cache, trustDomain, log });
  const ownBundle = cache.bundles.get(trustDomain.name);
  if (ownBundle !== undefined) trust.update(ownBundle.wire);
  const view = new SyncedView({ cache, trust, log }, lastContactMs === 0 ? undefined : point);

  const writer = new StateWriter({
    path: config.state.path,
    collect: () =>
      collectState(state, { trustDomain, identity, memory, cache, view, contact, witness, clock }),
    clock,
    log,
  });
  const persist = (): Promise<void> => writer.flush();
  const serving: ServingDeps = {
    cache,
    view,
    identity,
    contact,
    maxOfflineMs: config.offline.maxAge,
    persist,
    clock,
    log,
  };
  updateServing(serving);
  return {
    identity,
    trust,
    connection,
    attestor,
    memory,
    keys: new KeyPool(config.svidKeyType, KEY_POOL_SIZE),
    cache,
    view,
    bindings,
    audit,
    witness,
    contact,
    limits: new Feed(DEFAULT_ISSUANCE_LIMITS),
    serving,
    writer,
    persist,
    changed: () => writer.touch(),
  };
}

function makeAttestor(
  config: AgentConfig,
  memory: AttestationMemory,
  random: Random,
): NodeAttestor {
  const settings = config.nodeAttestor;
  if ("join_token" in settings) {
    return new JoinTokenAttestor(settings.join_token, (digest) => memory.isSpent(digest));
  }
  const { certificate, key, intermediates } = settings.x509pop;
  const files = { certificate, privateKey: key };
  return new X509PopAttestor(
    intermediates === undefined ? files : { ...files, intermediates },
    random,
  );
}

function collectState(
  opened: OpenedState,
  o: Pick<Core, "identity" | "memory" | "cache" | "view" | "contact" | "witness"> & {
    readonly trustDomain: TrustDomain;
    readonly clock: Clock;
  },
): Uint8Array {
  const { identity, verdict } = o.identity.standing.value;
  const { key, payloadDigest } = o.memory.stored;
  const state = create(AgentStateSchema, {
    trustDomain: o.trustDomain.name,
    nodeBinding: opened.nodeBinding,
    writtenAtMs: BigInt(o.clock.now().getTime()),
    lastContactMs: BigInt(o.contact.at?.getTime() ?? 0),
    banned: verdict === "banned",
    witnessed: [...o.witness.seen],
    ...(identity === undefined ? {} : { identity: storeIdentity(identity) }),
    ...(key === undefined ? {} : { attestationKey: exportPrivateKey(key) }),
    ...(payloadDigest === undefined ? {} : { attestationPayloadDigest: payloadDigest }),
    ...storeView(o.cache, o.view.point),
  });
  return toBinary(AgentStateSchema, state);
}

function refusalRecorder(core: Core): OnRefused {
  return ({ reason, pid, uid, caller }, suppressed) => {
    const executable = caller?.executable;
    const refused = { reason, pid, uid, executable, selectors: caller?.selectors ?? [] };
    core.audit.record(refusalRecord(refused, suppressed, core.identity.identity?.id.toString()));
  };
}

async function openObservability(deps: AgentDeps, core: Core): Promise<ObservabilityEndpoint> {
  const { clock, log } = deps;
  const { address, port } = deps.config.observability;
  const health = new Health({ clock, log });
  const metrics = new Metrics();
  addAgentHealth(health, core);
  addAgentMetrics(metrics, core);
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
