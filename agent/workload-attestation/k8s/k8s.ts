/**
 * The `k8s` workload attestor: from the cgroup that the kernel says a process is in to the pod that the kubelet made it for. The
 * pod's UID is in the cgroup's name and needs nobody else; everything more the kubelet has to tell, and until it has, it is
 * unknown, never absent.
 */
import type { Selector } from "../../../proto/selector.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import type { ProcessFacts } from "../process-facts.ts";
import type { Findings, Undecided, WorkloadAttestor } from "../workload-attestor.ts";
import { type Decision, decide, type Missing } from "./decide.ts";
import type { KubeletPods } from "./kubelet-pods.ts";
import type { NamespaceLabels } from "./namespace-labels.ts";
import { type KubepodsHead, type PodCgroup, podOfCgroup } from "./pod-cgroup.ts";
import type { KnownPod } from "./pod-directory.ts";
import { prefixesOf } from "./pod-selectors.ts";
import type { PodTokens, TokenProblem } from "./pod-tokens.ts";
import { mirrorPodProblem, type StaticPodRules, staticPodProblem } from "./static-pods.ts";

export interface K8sAttestorDeps {
  readonly heads: readonly KubepodsHead[];
  readonly pods: KubeletPods;
  /** Without it there are no selectors for labels of namespaces. */
  readonly namespaces?: Pick<NamespaceLabels, "of" | "problem" | "until"> | undefined;
  /** With it a pod has no selectors at all until its own token was reviewed. */
  readonly tokens?: Pick<PodTokens, "problemOf" | "detailOf" | "review"> | undefined;
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
/** How long an API server that does not answer is left alone. */
const askAgainMs = 1_000;
/** How often a token is looked at again that was missing or refused: the driver may bring another. */
const lookAgainMs = 5_000;

export class K8sAttestor implements WorkloadAttestor {
  readonly type = "k8s";
  readonly #deps: K8sAttestorDeps;
  readonly #prefixes: readonly string[];

  constructor(deps: K8sAttestorDeps) {
    this.#deps = deps;
    const groups = ["pod", "labels", "container", "images"] as const;
    this.#prefixes = prefixesOf(deps.namespaces === undefined ? groups : [...groups, "namespace"]);
  }

  async attest(facts: ProcessFacts): Promise<Findings> {
    const { heads, isWanted } = this.#deps;
    const place = podOfCgroup(facts.cgroupPaths, heads);
    if (place === undefined) return { selectors: [], undecided: [] };
    const doubt = this.#doubt(place);
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

  /** What of the pod's own token stands in the way, where it has to have one. */
  #doubt(place: PodCgroup): Pick<Findings, "undecided" | "changed"> | undefined {
    const { tokens, waitMs, clock } = this.#deps;
    const { podUid } = place;
    const problemNow = (): TokenProblem | undefined =>
      tokens?.problemOf(podUid, this.#known(place)?.pod);
    const problem = problemNow();
    if (tokens === undefined || problem === undefined) return undefined;
    const reviewIn = async (ms: number, signal: AbortSignal): Promise<void> => {
      if (ms > 0) await clock.sleep(ms, signal);
      if (!signal.aborted) await tokens.review(podUid);
    };
    const changed = async (signal: AbortSignal): Promise<void> => {
      do await reviewIn(lookAgainMs, signal);
      while (!signal.aborted && problemNow() === problem);
    };
    const when = (signal: AbortSignal): Promise<void> =>
      reviewIn(problem === "pod_token_not_reviewed" ? 0 : askAgainMs, signal);
    const detail = tokens.detailOf(podUid);
    const reason = detail === undefined ? problem : `${problem}: ${detail}`;
    const never: Undecided = { type: this.type, prefixes: [], reason, transient: false };
    const notYet: Undecided = { ...never, transient: true, retry: { waitMs, when } };
    switch (problem) {
      case "pod_token_not_reviewed":
      case "api_server_away":
        return { undecided: [notYet] };
      case "pod_token_missing":
        return { undecided: [notYet], changed };
      case "pod_token_refused":
        return { undecided: [never], changed };
      default:
        return { undecided: [never] };
    }
  }

  #ask(place: PodCgroup): { values: readonly string[]; undecided: readonly Undecided[] } {
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

  #decide({ containerId }: PodCgroup, known: KnownPod | undefined): Decision {
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

  #notYet(place: PodCgroup, why: Missing, groups: Parameters<typeof prefixesOf>[0]): Undecided {
    const { pods, namespaces, waitMs } = this.#deps;
    const { problem, detail } = pods.answer;
    const ofKubelet = problem === undefined ? undefined : `${problem}: ${detail}`;
    const cause = why === "namespace_not_listed" ? namespaces?.problem : ofKubelet;
    const retry = { waitMs, when: this.#waiter(place, why) };
    const reason = cause ?? why;
    return { type: this.type, prefixes: prefixesOf(groups), transient: true, reason, retry };
  }

  /** Waits until what is missing may be there. */
  #waiter(place: PodCgroup, why: Missing): (signal: AbortSignal) => Promise<void> {
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
  #watcher(place: PodCgroup): (signal: AbortSignal) => Promise<void> {
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

  #toldOf(place: PodCgroup): string {
    const known = this.#known(place);
    const labels = known && this.#deps.namespaces?.of(known.pod.namespace);
    return JSON.stringify([known?.pod, known?.containers.get(place.containerId), labels]);
  }

  #known({ podUid }: PodCgroup): KnownPod | undefined {
    const { directory } = this.#deps.pods;
    return directory.get(podUid) ?? directory.mirrorOf(podUid);
  }
}
