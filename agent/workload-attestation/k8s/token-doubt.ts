import type { Clock } from "../../../runtime/time/clock.ts";
import type { Findings, Undecided } from "../workload-attestor.ts";
import type { KubeletPods } from "./kubelet-pods.ts";
import type { PodTokens, TokenProblem } from "./pod-tokens.ts";

export interface TokenDoubtDeps {
  readonly tokens: Pick<PodTokens, "problemOf" | "detailOf" | "review">;
  readonly pods: Pick<KubeletPods, "directory" | "answer" | "until">;
  /** How long a caller may be held, in milliseconds. */
  readonly waitMs: number;
  readonly clock: Clock;
}

/** Why a caller is not believed to be of a pod, and what may change that. */
export type Doubt = Pick<Findings, "undecided" | "changed">;

/** How long an API server that does not answer is left alone. */
const askAgainMs = 1_000;
/** How often a token is looked at again that was missing or refused: the driver may bring another. */
const lookAgainMs = 5_000;

/**
 * What stands in the way of a pod that has to be vouched for by its own token, or undefined when nothing does.
 *
 * @param isListed whether the kubelet has to have listed the pod: the token is then all that says which pod calls
 */
export function tokenDoubt(
  deps: TokenDoubtDeps,
  podUid: string,
  isListed: boolean,
): Doubt | undefined {
  const { tokens, pods, waitMs, clock } = deps;
  const { directory } = pods;
  const known = () => directory.get(podUid) ?? (isListed ? undefined : directory.mirrorOf(podUid));
  const problemNow = (): TokenProblem | undefined => tokens.problemOf(podUid, known()?.pod);
  const undecided = (reason: string): Undecided => {
    return { type: "k8s", prefixes: [], reason, transient: false };
  };
  const notYet = (reason: string, when: (signal: AbortSignal) => Promise<void>): Undecided => {
    return { ...undecided(reason), transient: true, retry: { waitMs, when } };
  };

  const problem = problemNow();
  if (problem === undefined) {
    if (!isListed || known() !== undefined) return undefined;
    const { answer } = pods;
    const reason =
      answer.problem === undefined ? "pod_not_listed" : `${answer.problem}: ${answer.detail}`;
    const isThere = (): boolean => known() !== undefined;
    return { undecided: [notYet(reason, (signal) => pods.until(isThere, signal))] };
  }
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
  switch (problem) {
    case "pod_token_not_reviewed":
    case "api_server_away":
      return { undecided: [notYet(reason, when)] };
    case "pod_token_missing":
      return { undecided: [notYet(reason, when)], changed };
    case "pod_token_refused":
      return { undecided: [undecided(reason)], changed };
    default:
      return { undecided: [undecided(reason)] };
  }
}
