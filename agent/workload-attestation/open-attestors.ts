import { readFileSync } from "node:fs";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { WorkloadViews } from "../cache/workload-view.ts";
import type { K8sAttestorSettings, WorkloadAttestorSettings } from "../config/workload-settings.ts";
import { SystemAccountNames } from "./account-names.ts";
import { cgroupPaths } from "./cgroup.ts";
import { ExecutableDigests } from "./executable.ts";
import { K8sAttestor } from "./k8s/k8s.ts";
import { KubeletClient } from "./k8s/kubelet-client.ts";
import { type KubeletCounters, KubeletPods } from "./k8s/kubelet-pods.ts";
import { headsOfAgent, headsOfRoot } from "./k8s/pod-cgroup.ts";
import { UnixAttestor } from "./unix.ts";
import type { WorkloadAttestor } from "./workload-attestor.ts";

export interface AttestorDeps {
  readonly settings: WorkloadAttestorSettings;
  readonly views: Pick<WorkloadViews, "asksFor">;
  readonly counters?: KubeletCounters;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The attestors that the configuration names, and what they need to have running. */
export interface OpenAttestors extends Disposable {
  readonly attestors: readonly WorkloadAttestor[];
  /** Keeps what they know up to date. Resolves once `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Larger programs are not hashed. */
const maxExecutableBytes = 512 * 1024 * 1024;

export function openAttestors(deps: AttestorDeps): OpenAttestors {
  const unix = unixAttestor(deps);
  const { k8s: settings } = deps.settings;
  if (settings === undefined) {
    return { attestors: [unix], run: async () => {}, [Symbol.dispose]: () => {} };
  }
  const { kubelet, pods, attestor } = podAttestor({ ...deps, settings });
  return {
    attestors: [unix, attestor],
    run: (signal) => pods.run(signal),
    [Symbol.dispose]: () => kubelet[Symbol.dispose](),
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

function podAttestor(
  deps: Omit<AttestorDeps, "settings"> & { readonly settings: K8sAttestorSettings },
): { kubelet: KubeletClient; pods: KubeletPods; attestor: K8sAttestor } {
  const { settings, views, counters, clock } = deps;
  const { nodeName, cgroupRoot, refresh: refreshMs, staticPodNamespaces } = settings;
  const log = deps.log.child({ component: "kubelet" });
  const { host = "127.0.0.1" } = settings.kubelet;
  if (settings.kubelet.insecureSkipVerify) {
    log.warn("The kubelet's certificate is not verified");
  }
  const kubelet = new KubeletClient({ kubelet: { ...settings.kubelet, host }, nodeName });
  const listPods = kubelet.listPods.bind(kubelet);
  const pods = new KubeletPods({ listPods, refreshMs, clock, log, ...(counters && { counters }) });
  const attestor = new K8sAttestor({
    heads: cgroupRoot === undefined ? headsOfAgent(ownCgroupPaths()) : headsOfRoot(cgroupRoot),
    pods,
    isWanted: (prefix) => views.asksFor("k8s", prefix),
    rules: { nodeName, namespaces: staticPodNamespaces },
    refreshMs,
    waitMs: settings.wait,
    clock,
  });
  return { kubelet, pods, attestor };
}

function ownCgroupPaths(): readonly string[] {
  return cgroupPaths(readFileSync("/proc/self/cgroup", "utf8"));
}
