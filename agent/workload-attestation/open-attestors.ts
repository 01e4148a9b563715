import { readFileSync } from "node:fs";
import type { Logger } from "../../runtime/log.ts";
import { runTasks } from "../../runtime/process/tasks.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { WorkloadViews } from "../cache/workload-view.ts";
import type { K8sAttestorSettings, WorkloadAttestorSettings } from "../config/workload-settings.ts";
import { SystemAccountNames } from "./account-names.ts";
import { cgroupPaths } from "./cgroup.ts";
import { ExecutableDigests } from "./executable.ts";
import { BearerHttps } from "./k8s/bearer-https.ts";
import { K8sAttestor } from "./k8s/k8s.ts";
import { KubeletClient } from "./k8s/kubelet-client.ts";
import { type KubeletCounters, KubeletPods } from "./k8s/kubelet-pods.ts";
import { NamespaceLabels } from "./k8s/namespace-labels.ts";
import { headsOfAgent, headsOfRoot } from "./k8s/pod-cgroup.ts";
import { PodTokens } from "./k8s/pod-tokens.ts";
import { UnixAttestor } from "./unix.ts";
import type { WorkloadAttestor } from "./workload-attestor.ts";

export interface AttestorDeps {
  readonly settings: WorkloadAttestorSettings;
  readonly views: Pick<WorkloadViews, "asksFor">;
  readonly counters?: KubeletCounters;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** The attestors that the configuration names, and what they need to have running. */
export interface OpenAttestors extends Disposable {
  readonly attestors: readonly WorkloadAttestor[];
  /** The same for operators' questions: these find out what no entry asks for, too. */
  readonly explaining: readonly WorkloadAttestor[];
  /** Keeps what they know up to date. Resolves once `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Larger programs are not hashed. */
const maxExecutableBytes = 512 * 1024 * 1024;

export function openAttestors(deps: AttestorDeps): OpenAttestors {
  const unix = unixAttestor(deps);
  const { k8s: settings } = deps.settings;
  if (settings === undefined) {
    const only = [unix];
    return { attestors: only, explaining: only, run: async () => {}, [Symbol.dispose]: () => {} };
  }
  const { attestor, explaining, run, opened } = podAttestors({ ...deps, settings });
  return {
    attestors: [unix, attestor],
    explaining: [unix, explaining],
    run,
    [Symbol.dispose]: () => opened.dispose(),
  };
}

function unixAttestor({ settings, views, clock }: AttestorDeps): UnixAttestor {
  const { hostRoot } = settings.unix;
  return new UnixAttestor({
    names: new SystemAccountNames(clock, hostRoot),
    digests: new ExecutableDigests(maxExecutableBytes),
    isWanted: (prefix) => views.asksFor("unix", prefix),
    hostRoot,
  });
}

type PodAttestorDeps = Omit<AttestorDeps, "settings"> & { readonly settings: K8sAttestorSettings };

function podAttestors(deps: PodAttestorDeps): {
  attestor: K8sAttestor;
  explaining: K8sAttestor;
  run: (signal: AbortSignal) => Promise<void>;
  opened: DisposableStack;
} {
  const opened = new DisposableStack();
  const { settings, views, counters, clock } = deps;
  const { nodeName, cgroupRoot, refresh: refreshMs, staticPodNamespaces } = settings;
  const log = deps.log.child({ component: "kubelet" });
  const { host = "127.0.0.1" } = settings.kubelet;
  if (settings.kubelet.insecureSkipVerify) {
    log.warn("The kubelet's certificate is not verified");
  }
  const kubelet = opened.use(
    new KubeletClient({ kubelet: { ...settings.kubelet, host }, nodeName }),
  );
  const listPods = kubelet.listPods.bind(kubelet);
  const pods = new KubeletPods({ listPods, refreshMs, clock, log, ...(counters && { counters }) });
  const { namespaceLabels, podToken } = settings;
  const isApiWanted = namespaceLabels || podToken.mode !== "off";
  const api = isApiWanted ? opened.use(apiServer(settings)) : undefined;
  const namespaces =
    api && namespaceLabels
      ? new NamespaceLabels({ ...deps, api, log: deps.log.child({ component: "namespaces" }) })
      : undefined;
  const { mode } = podToken;
  const vouching = api && mode !== "off" ? { mode, tokens: podTokens(deps, api) } : undefined;
  const common = {
    heads: cgroupRoot === undefined ? headsOfAgent(ownCgroupPaths()) : headsOfRoot(cgroupRoot),
    pods,
    namespaces,
    podToken: vouching,
    rules: { nodeName, namespaces: staticPodNamespaces },
    refreshMs,
    waitMs: settings.wait,
    clock,
  };
  const isWanted = (prefix: string): boolean => views.asksFor("k8s", prefix);
  const attestor = new K8sAttestor({ ...common, isWanted });
  const explaining = new K8sAttestor({ ...common, isWanted: () => true });
  const run = async (signal: AbortSignal): Promise<void> => {
    await runTasks(
      {
        kubelet: (stop) => pods.run(stop),
        ...(namespaces && { namespaces: (stop: AbortSignal) => namespaces.run(stop) }),
      },
      signal,
    );
  };
  return { attestor, explaining, run, opened };
}

/** @throws {Error} when nothing says where the API server is */
function apiServer({
  apiServer: { host, port = 443, caFile, tokenFile },
}: K8sAttestorSettings): BearerHttps {
  if (host === undefined) {
    throw new Error("workloadAttestors.k8s.apiServer.host: namespaceLabels and podToken need it");
  }
  return new BearerHttps({ host, port, caFile, tokenFile, maxSockets: 8 });
}

/** @throws {Error} when nothing says which node this is */
function podTokens({ settings, clock }: PodAttestorDeps, api: BearerHttps): PodTokens {
  const { nodeName } = settings;
  if (nodeName === undefined) {
    throw new Error("workloadAttestors.k8s.nodeName: podToken needs it");
  }
  const { folder, audience } = settings.podToken;
  return new PodTokens({ folder, audience, nodeName, api, clock });
}

function ownCgroupPaths(): readonly string[] {
  return cgroupPaths(readFileSync("/proc/self/cgroup", "utf8"));
}
