import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { Identity, Node } from "../../proto/gen/csi/v1/csi_pb.ts";
import { Registration } from "../../proto/gen/pluginregistration/registration_pb.ts";
import { Health } from "../../runtime/health.ts";
import type { Logger } from "../../runtime/log.ts";
import { Metrics } from "../../runtime/metrics.ts";
import type { MountCalls } from "../../runtime/mount/mount-calls.ts";
import { ObservabilityEndpoint } from "../../runtime/observability.ts";
import type { Random } from "../../runtime/random.ts";
import type { Interceptor } from "../../runtime/rpc/interceptor.ts";
import { measureCalls } from "../../runtime/rpc/rpc-metrics.ts";
import { service } from "../../runtime/rpc/service.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { CsiConfig } from "../config/csi-config.ts";
import { Holder } from "../holder/holder.ts";
import { PodSockets } from "../holder/pod-sockets.ts";
import { AgentWait } from "./agent-wait.ts";
import { identityService } from "./identity-service.ts";
import { NodeService } from "./node-service.ts";
import { PluginEndpoint } from "./plugin-endpoint.ts";
import { RegistrationService } from "./registration-service.ts";
import { TokenFolder } from "./token-folder.ts";
import { Volumes } from "./volumes.ts";

/** Everything that holder and driver take from outside. */
export interface CsiDriverDeps {
  readonly config: CsiConfig;
  /** Name of the node. */
  readonly nodeId: string;
  /** Who may connect to the private sockets. */
  readonly admittedUids: ReadonlySet<number>;
  readonly mounts: MountCalls;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** How long the socket is kept for the agent that comes next, when both are replaced. Within what a supervisor grants by default. */
const HAND_OVER_MS = 25_000;

/** Holds the workload socket, and mounts its folder into pods. */
export class CsiDriver implements AsyncDisposable {
  readonly #holder: Holder;
  readonly #opened: AsyncDisposableStack;

  private constructor(holder: Holder, opened: AsyncDisposableStack) {
    this.#holder = holder;
    this.#opened = opened;
  }

  /** Answers the kubelet when it returns. @throws {Error} if a socket cannot be had */
  static async open(deps: CsiDriverDeps): Promise<CsiDriver> {
    const { config, log, clock } = deps;
    await using opening = new AsyncDisposableStack();
    await makeFolders(config);
    const podSockets = await openPodSockets(deps);
    if (podSockets !== undefined) opening.use(podSockets);
    const holder = opening.use(
      await Holder.open({
        workloadSocket: config.workloadSocket,
        socketAliases: config.socketAliases,
        podSockets,
        path: config.holderSocket.path,
        admittedUids: deps.admittedUids,
        clock,
        random: deps.random,
        log: log.child({ component: "holder" }),
      }),
    );
    const metrics = new Metrics();
    const wait = new AgentWait({
      status: holder.status,
      waitFor: config.publish.waitFor,
      timeoutMs: config.publish.timeout,
      clock,
    });
    const registration = await openPlugin(deps, { holder, podSockets, wait, metrics }, opening);
    if (config.observability.enabled) {
      const health = new Health({ clock, log });
      addHealth(health, holder, registration);
      addMetrics(metrics, { holder, podSockets, wait });
      health.addTo(metrics, "assay_csi_health");
      const { address, port } = config.observability;
      opening.use(await ObservabilityEndpoint.open({ address, port, health, metrics, log }));
    }
    return new CsiDriver(holder, opening.move());
  }

  /** The socket's keeper. */
  get holder(): Holder {
    return this.#holder;
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#holder.run(signal);
    await this.#holder.handOver(HAND_OVER_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

/** Where the kubelet calls the driver, and where it looks for it. */
function pluginPaths({ name, kubeletDir }: CsiConfig["driver"]) {
  return {
    endpoint: `${kubeletDir}/plugins/${name}/csi.sock`,
    registration: `${kubeletDir}/plugins_registry/${name}-reg.sock`,
  };
}

async function makeFolders({ workloadSocket, holderSocket, driver }: CsiConfig): Promise<void> {
  const { endpoint, registration } = pluginPaths(driver);
  // Workloads of every user have to get to their socket.
  await mkdir(dirname(workloadSocket.path), { recursive: true, mode: 0o755 });
  for (const path of [holderSocket.path, endpoint, registration]) {
    await mkdir(dirname(path), { recursive: true, mode: 0o750 });
  }
}

async function openPodSockets({ config, log }: CsiDriverDeps): Promise<PodSockets | undefined> {
  const { podSockets, workloadSocket, socketAliases, driver } = config;
  if (podSockets.folder === undefined) return undefined;
  const deps = {
    folder: podSockets.folder,
    socket: { name: basename(workloadSocket.path), mode: workloadSocket.mode },
    aliases: socketAliases,
    log: log.child({ component: "holder" }),
  };
  return PodSockets.open(deps, podsIn(driver.kubeletDir));
}

/** Whether the kubelet has folders of a pod. */
function podsIn(kubeletDir: string): (podUid: string) => boolean {
  return (podUid) => existsSync(`${kubeletDir}/pods/${podUid}`);
}

async function openPlugin(
  deps: CsiDriverDeps,
  parts: {
    readonly holder: Holder;
    readonly podSockets: PodSockets | undefined;
    readonly wait: AgentWait;
    readonly metrics: Metrics;
  },
  opening: AsyncDisposableStack,
): Promise<RegistrationService> {
  const { config, nodeId, mounts, version, admittedUids, clock, random } = deps;
  const { name, kubeletDir } = config.driver;
  const log = deps.log.child({ component: "csi" });
  const paths = pluginPaths(config.driver);
  const socketDir = dirname(config.workloadSocket.path);
  const volumes = new Volumes({ driverName: name, kubeletDir, mounts });
  const { folder } = config.podTokens;
  const tokens = folder === undefined ? undefined : new TokenFolder(folder);
  await tokens?.prune(podsIn(kubeletDir));
  const interceptors: readonly Interceptor[] = [measureCalls(parts.metrics, "assay_csi", clock)];
  const shared = { interceptors, admittedUids, clock, random, log };
  const { status } = parts.holder;
  opening.use(
    await PluginEndpoint.open({
      ...shared,
      path: paths.endpoint,
      services: [
        service(Identity, identityService({ name, version, status })),
        service(Node, new NodeService({ nodeId, volumes, socketDir, tokens, ...parts })),
      ],
    }),
  );
  // Last, since the kubelet calls as soon as it sees this socket.
  const registration = new RegistrationService({ name, endpoint: paths.endpoint });
  opening.use(
    await PluginEndpoint.open({
      ...shared,
      path: paths.registration,
      services: [service(Registration, registration)],
    }),
  );
  return registration;
}

function addHealth(health: Health, holder: Holder, registration: RegistrationService): void {
  health.add("workload_socket", () =>
    holder.status.value.bound
      ? { state: "ok" }
      : { state: "failed", detail: "the socket is not bound" },
  );
  health.add("agent", () =>
    holder.status.value.agents > 0
      ? { state: "ok" }
      : { state: "degraded", detail: "no agent serves the socket" },
  );
  health.add("registration", () => registration.health);
}

function addMetrics(
  metrics: Metrics,
  {
    holder,
    podSockets,
    wait,
  }: {
    readonly holder: Holder;
    readonly podSockets: PodSockets | undefined;
    readonly wait: AgentWait;
  },
): void {
  metrics.addProcess();
  metrics.gauge("assay_csi_agents", "Agents that have the workload socket.", [], (gauge) =>
    gauge.set(holder.status.value.agents),
  );
  metrics.gauge("assay_csi_pod_sockets", "Sockets that single pods have.", [], (gauge) =>
    gauge.set(podSockets?.held.value.size ?? 0),
  );
  metrics.gauge("assay_csi_waiting_pods", "Volumes that wait for an agent.", [], (gauge) =>
    gauge.set(wait.waiting),
  );
}
