/**
 * The `k8s` workload attestor: from the cgroup that the kernel says a process is in to the pod that the kubelet made it for. The
 * pod's UID is in the cgroup's name and needs nobody else; everything more the kubelet has to tell, and until it has, it is
 * unknown, never absent.
 */
import type { Selector } from "../../../proto/selector.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import type { ProcessFacts } from "../process-facts.ts";
import type { Findings, Undecided, WorkloadAttestor } from "../workload-attestor.ts";
import type { KubeletPods } from "./kubelet-pods.ts";
import { type KubepodsHead, type PodCgroup, podOfCgroup } from "./pod-cgroup.ts";
import type { KnownPod } from "./pod-directory.ts";
import {
  containerValues,
  imageValues,
  KUBELET_PREFIXES,
  labelValues,
  podValues,
  SELECTOR_GROUPS,
  type SelectorGroup,
} from "./pod-selectors.ts";
import { mirrorPodProblem, type StaticPodRules, staticPodProblem } from "./static-pods.ts";

export interface K8sAttestorDeps {
  readonly heads: readonly KubepodsHead[];
  readonly pods: KubeletPods;
  /** Whether any entry of this node asks for a kind of selector: without one the kubelet is not asked either. */
  readonly isWanted: (prefix: string) => boolean;
  readonly rules: StaticPodRules;
  /** Milliseconds for which what may change counts as known after the kubelet said it. */
  readonly refreshMs: number;
  /** How long a caller may be held for the kubelet's sake, in milliseconds. */
  readonly waitMs: number;
  readonly clock: Clock;
}

/** While the kubelet does not answer, what may change counts for this long after it was said. */
const graceMs = 30_000;

export class K8sAttestor implements WorkloadAttestor {
  readonly type = "k8s";
  readonly #deps: K8sAttestorDeps;

  constructor(deps: K8sAttestorDeps) {
    this.#deps = deps;
  }

  async attest(facts: ProcessFacts): Promise<Findings> {
    const { heads, isWanted } = this.#deps;
    const place = podOfCgroup(facts.cgroupPaths, heads);
    if (place === undefined) return { selectors: [], undecided: [] };
    const isKubeletWanted = KUBELET_PREFIXES.some(isWanted);
    const found = isKubeletWanted ? this.#factsOf(place) : { values: [], undecided: [] };
    const values = [`pod-uid:${place.podUid}`, ...found.values];
    return {
      selectors: values.map((value): Selector => ({ type: this.type, value })),
      undecided: found.undecided,
      instance: place,
      ...(isKubeletWanted && { changed: this.#watcher(place) }),
    };
  }

  #factsOf(place: PodCgroup): PodFacts {
    const { pods, rules } = this.#deps;
    const { directory } = pods;
    const own = directory.get(place.podUid);
    const known = own ?? directory.mirrorOf(place.podUid);
    if (known === undefined) return this.#unknown(place, [...groupNames], "container_not_listed");
    const problem = own ? staticPodProblem(own.pod, rules) : mirrorPodProblem(known.pod, rules);
    if (problem !== undefined) return { values: [], undecided: [never(problem)] };
    return this.#told(place, known);
  }

  #told(place: PodCgroup, known: KnownPod): PodFacts {
    const status = known.containers.get(place.containerId);
    const isFresh = this.#isFresh(known);
    const facts: PodFacts[] = [{ values: podValues(known.pod), undecided: [] }];
    if (isFresh) facts.push({ values: labelValues(known.pod), undecided: [] });
    else facts.push(this.#unknown(place, ["labels"], "labels_outdated"));
    if (status === undefined) {
      facts.push(this.#unknown(place, ["container", "images"], "container_not_listed"));
    } else {
      facts.push({ values: containerValues(status), undecided: [] });
      if (isFresh) facts.push({ values: imageValues(known.pod), undecided: [] });
      else facts.push(this.#unknown(place, ["images"], "labels_outdated"));
    }
    return {
      values: facts.flatMap(({ values }) => values),
      undecided: facts.flatMap(({ undecided }) => undecided),
    };
  }

  #isFresh({ seenAtMs }: KnownPod): boolean {
    const { pods, refreshMs, clock } = this.#deps;
    const ageMs = clock.monotonicMs() - seenAtMs;
    const hasFailedSince = pods.answer.problem !== undefined && pods.answer.atMs > seenAtMs;
    return ageMs <= (hasFailedSince ? graceMs : refreshMs * 2);
  }

  #unknown(place: PodCgroup, groups: readonly SelectorGroup[], reason: Missing): PodFacts {
    const { pods, waitMs, clock } = this.#deps;
    const { problem, detail } = pods.answer;
    const askedMs = clock.monotonicMs();
    // A list that was asked for earlier may be older than the caller.
    const isListed = (): boolean => pods.directory.knows(place);
    const isToldAgain = (): boolean =>
      pods.answer.atMs > askedMs &&
      (pods.answer.problem !== undefined || (this.#seenAtMs(place) ?? 0) >= askedMs);
    const holds = reason === "labels_outdated" ? isToldAgain : isListed;
    return {
      values: [],
      undecided: [
        {
          type: this.type,
          prefixes: groups.flatMap((group) => SELECTOR_GROUPS[group]),
          transient: true,
          reason: problem === undefined ? reason : `${problem}: ${detail}`,
          retry: { waitMs, when: (signal) => pods.until(holds, signal) },
        },
      ],
    };
  }

  #seenAtMs({ podUid }: PodCgroup): number | undefined {
    const { directory } = this.#deps.pods;
    return (directory.get(podUid) ?? directory.mirrorOf(podUid))?.seenAtMs;
  }

  /** Waits until the kubelet has told something else of the pod than it has now. */
  #watcher(place: PodCgroup): (signal: AbortSignal) => Promise<void> {
    const told = this.#toldOf(place);
    return (signal) => this.#deps.pods.watch(() => this.#toldOf(place) !== told, signal);
  }

  #toldOf(place: PodCgroup): string {
    const { directory } = this.#deps.pods;
    const known = directory.get(place.podUid) ?? directory.mirrorOf(place.podUid);
    return JSON.stringify([known?.pod, known?.containers.get(place.containerId)]);
  }
}

type Missing = "container_not_listed" | "labels_outdated";

interface PodFacts {
  readonly values: readonly string[];
  readonly undecided: readonly Undecided[];
}

const groupNames = ["pod", "labels", "container", "images"] as const satisfies SelectorGroup[];

function never(reason: string): Undecided {
  return { type: "k8s", prefixes: KUBELET_PREFIXES, transient: false, reason };
}
