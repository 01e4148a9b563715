/**
 * The `k8s` workload attestor: from the cgroup that the kernel says a process is in to the pod that the kubelet made it for. The
 * pod's UID is in the cgroup's name and needs nobody else; everything more the kubelet has to tell, and until it has, it is
 * unknown, never absent.
 */
import type { Selector } from "../../../proto/selector.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import type { Caller, Findings, Undecided, WorkloadAttestor } from "../workload-attestor.ts";
import { type Decision, decide, type Missing } from "./decide.ts";
import type { KubeletPods } from "./kubelet-pods.ts";
import type { NamespaceLabels } from "./namespace-labels.ts";
import { type KubepodsHead, podOfCgroup, podsAround } from "./pod-cgroup.ts";
import type { KnownPod } from "./pod-directory.ts";
import { prefixesOf } from "./pod-selectors.ts";
import type { PodTokens } from "./pod-tokens.ts";
import { mirrorPodProblem, type StaticPodRules, staticPodProblem } from "./static-pods.ts";
import { tokenDoubt } from "./token-doubt.ts";

export interface K8sAttestorDeps {
  readonly heads: readonly KubepodsHead[];
  readonly pods: KubeletPods;
  /** Without it there are no selectors for labels of namespaces. */
  readonly namespaces?: Pick<NamespaceLabels, "of" | "problem" | "until"> | undefined;
  /**
   * With `required` a pod has no selectors at all until its own token was reviewed. With `fallback` this goes for callers that no
   * cgroup names a pod for, and the pod is the one whose own socket they called on.
   */
  readonly podToken?:
    | {
        readonly mode: "fallback" | "required";
        readonly tokens: Pick<PodTokens, "problemOf" | "detailOf" | "review">;
      }
    | undefined;
  /** Whether any entry of this node asks for a kind of selector: without one the kubelet is not asked either. */
  readonly isWanted: (prefix: string) => boolean;
  readonly rules: StaticPodRules;
  /** Milliseconds between two looks at what may change; for twice as long it counts as known. */
  readonly refreshMs: number;
  /** How long a caller may be held for the kubelet's sake, in milliseconds. */
  readonly waitMs: number;
  readonly clock: Clock;
}

/** While the kubelet does not answer, what may change counts for this long after it was said. */
const graceMs = 30_000;

/** Where a caller is: a container's cgroup says both, the socket of a pod the pod alone. */
interface PodPlace {
  readonly podUid: string;
  readonly containerId?: string;
}

const nothing: Findings = { selectors: [], undecided: [] };

export class K8sAttestor implements WorkloadAttestor {
  readonly type = "k8s";
  readonly #deps: K8sAttestorDeps;
  readonly #prefixes: readonly string[];

  constructor(deps: K8sAttestorDeps) {
    this.#deps = deps;
    const groups = ["pod", "labels", "container", "images"] as const;
    this.#prefixes = prefixesOf(deps.namespaces === undefined ? groups : [...groups, "namespace"]);
  }

  async attest({ cgroupPaths, socketPod }: Caller): Promise<Findings> {
    const { heads, podToken } = this.#deps;
    const named = podOfCgroup(cgroupPaths, heads);
    if (named === undefined) {
      if (socketPod === undefined) return nothing;
      // A sandbox may be in its pod's cgroup, and in no container there.
      const isElsewhere = [...podsAround(cgroupPaths, heads)].some((pod) => pod !== socketPod);
      if (isElsewhere) return this.#foreign();
      if (podToken?.mode !== "fallback") return nothing;
      return { ...this.#findings({ podUid: socketPod }), isRelayed: true };
    }
    if (socketPod === undefined || socketPod === named.podUid) return this.#findings(named);
    return { ...this.#foreign(), instance: named };
  }

  #foreign(): Findings {
    return { ...nothing, undecided: [this.#never("pod_socket_of_another_pod")] };
  }

  #findings(place: PodPlace): Findings {
    const { isWanted, podToken } = this.#deps;
    const isNamed = place.containerId !== undefined;
    const needsToken = podToken !== undefined && (podToken.mode === "required" || !isNamed);
    const doubt = needsToken
      ? tokenDoubt({ ...this.#deps, tokens: podToken.tokens }, place.podUid, !isNamed)
      : undefined;
    if (doubt !== undefined) return { selectors: [], instance: place, ...doubt };
    const uid: Selector = { type: this.type, value: `pod-uid:${place.podUid}` };
    const found = this.#prefixes.some(isWanted) ? this.#ask(place) : undefined;
    const values = found?.values ?? [];
    return {
      selectors: [uid, ...values.map((value): Selector => ({ type: this.type, value }))],
      undecided: found?.undecided ?? [],
      instance: place,
      ...(found && { changed: this.#watcher(place) }),
    };
  }

  #ask(place: PodPlace): { values: readonly string[]; undecided: readonly Undecided[] } {
    const { pods, rules } = this.#deps;
    const own = pods.directory.get(place.podUid);
    const known = own ?? pods.directory.mirrorOf(place.podUid);
    if (known !== undefined) {
      const problem = own ? staticPodProblem(known.pod, rules) : mirrorPodProblem(known.pod, rules);
      if (problem !== undefined) return { values: [], undecided: [this.#never(problem)] };
    }
    const { values, missing } = this.#decide(place, known);
    const byReason = Map.groupBy(missing, ({ why }) => why);
    const undecided = [...byReason].map(([why, groups]) =>
      this.#notYet(
        place,
        why,
        groups.map(({ group }) => group),
      ),
    );
    return { values, undecided };
  }

  #decide({ containerId }: PodPlace, known: KnownPod | undefined): Decision {
    const { namespaces } = this.#deps;
    return decide({
      known,
      containerId,
      isFresh: known !== undefined && this.#isFresh(known),
      namespaceLabels: namespaces ? known && namespaces.of(known.pod.namespace) : "off",
    });
  }

  #isFresh({ seenAtMs }: KnownPod): boolean {
    const { pods, refreshMs, clock } = this.#deps;
    const ageMs = clock.monotonicMs() - seenAtMs;
    const hasFailedSince = pods.answer.problem !== undefined && pods.answer.atMs > seenAtMs;
    return ageMs <= (hasFailedSince ? graceMs : refreshMs * 2);
  }

  #never(reason: string): Undecided {
    return { type: this.type, prefixes: this.#prefixes, transient: false, reason };
  }

  #notYet(place: PodPlace, why: Missing, groups: Parameters<typeof prefixesOf>[0]): Undecided {
    const { pods, namespaces, waitMs } = this.#deps;
    const { problem, detail } = pods.answer;
    const ofKubelet = problem === undefined ? undefined : `${problem}: ${detail}`;
    const cause = why === "namespace_not_listed" ? namespaces?.problem : ofKubelet;
    const retry = { waitMs, when: this.#waiter(place, why) };
    const reason = cause ?? why;
    const undecided = { type: this.type, prefixes: prefixesOf(groups), reason };
    if (why === "container_not_named") return { ...undecided, reason: why, transient: false };
    return { ...undecided, transient: true, retry };
  }

  /** Waits until what is missing may be there. */
  #waiter(place: PodPlace, why: Missing): (signal: AbortSignal) => Promise<void> {
    const { pods, namespaces, clock } = this.#deps;
    const askedMs = clock.monotonicMs();
    const isThere = (): boolean => {
      const known = this.#known(place);
      if (why !== "labels_outdated") {
        return !this.#decide(place, known).missing.some((each) => each.why === why);
      }
      // A list that was asked for earlier may be older than the caller.
      const { atMs, problem } = pods.answer;
      return atMs > askedMs && (problem !== undefined || (known?.seenAtMs ?? 0) >= askedMs);
    };
    return async (signal) => {
      if (why === "namespace_not_listed") await namespaces?.until(isThere, signal);
      else await pods.until(isThere, signal);
    };
  }

  /** Waits until something else is known of the pod than now. */
  #watcher(place: PodPlace): (signal: AbortSignal) => Promise<void> {
    const { pods, namespaces } = this.#deps;
    const told = this.#toldOf(place);
    const isOther = (): boolean => this.#toldOf(place) !== told;
    return async (signal) => {
      const watching = [pods.watch(isOther, signal)];
      if (namespaces && this.#deps.isWanted("ns-label:")) {
        watching.push(namespaces.until(isOther, signal));
      }
      await Promise.race(watching);
    };
  }

  #toldOf(place: PodPlace): string {
    const known = this.#known(place);
    const labels = known && this.#deps.namespaces?.of(known.pod.namespace);
    const { containerId } = place;
    const container = containerId === undefined ? undefined : known?.containers.get(containerId);
    return JSON.stringify([known?.pod, container, labels]);
  }

  #known({ podUid }: PodPlace): KnownPod | undefined {
    const { directory } = this.#deps.pods;
    return directory.get(podUid) ?? directory.mirrorOf(podUid);
  }
}
