/**
 * The second factor of a pod: a token that the kubelet made for it, with our audience, and handed to the CSI driver. The API server
 * says whose it is. The cgroup says which pod calls; a token of another pod, or of another node, is of no use for it.
 */
import { readdir, readFile } from "node:fs/promises";
import { describeError } from "../../../runtime/errors/describe.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import type { BearerHttps } from "./bearer-https.ts";
import { parseTokenReview, type ReviewedToken } from "./parse-token-review.ts";
import type { Pod } from "./pod.ts";
import { fields, isFields } from "./read-fields.ts";

export interface PodTokensDeps {
  /** Where the CSI driver puts the tokens, a folder for each pod by its UID. */
  readonly folder: string;
  readonly audience: string;
  /** Name of this node. */
  readonly nodeName: string;
  readonly api: Pick<BearerHttps, "text">;
  readonly clock: Clock;
}

/** Why a pod is not vouched for, in the words of `assay why`. */
export type TokenProblem =
  | "pod_token_not_reviewed"
  | "pod_token_missing"
  | "pod_token_refused"
  | "pod_token_of_another_pod"
  | "pod_token_of_another_node"
  | "pod_token_of_another_account"
  | "api_server_away";

/** How a review went. */
interface Verdict {
  /** When the review ended, or was tried last. */
  readonly atMs: number;
  /** When the API server last vouched for the token. */
  readonly goodAtMs?: number;
  readonly token?: ReviewedToken;
  readonly problem?: TokenProblem;
  readonly detail?: string;
}

const reviewPath = "/apis/authentication.k8s.io/v1/tokenreviews";
const timeLimitMs = 5_000;
const maxTokenBytes = 64 * 1024;
const maxAnswerBytes = 1024 * 1024;
/** A token ends with its pod, and the API server is to be asked again soon after. */
const goodForMs = 60_000;
/** A refusal may be over as soon as the kubelet brings a new token. */
const badForMs = 1_000;
/** While the API server is away, its word holds for this long. */
const graceMs = 10 * 60_000;
const maxRemembered = 4_096;

export class PodTokens {
  readonly #deps: PodTokensDeps;
  readonly #verdicts = new Map<string, Verdict>();
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(deps: PodTokensDeps) {
    this.#deps = deps;
  }

  /**
   * Why a pod is not vouched for, as far as it was reviewed; undefined when it is.
   *
   * @param pod what the kubelet says of it, if it said anything yet: both have to agree
   */
  problemOf(podUid: string, pod: Pod | undefined): TokenProblem | undefined {
    const verdict = this.#verdicts.get(podUid);
    if (verdict === undefined || !this.#isRecent(verdict)) return "pod_token_not_reviewed";
    const { token, problem } = verdict;
    if (token === undefined) return problem;
    if (pod === undefined) return undefined;
    if (pod.nodeName !== token.nodeName) return "pod_token_of_another_node";
    const { namespace, serviceAccount } = token;
    const isSame = pod.namespace === namespace && pod.serviceAccount === serviceAccount;
    return isSame ? undefined : "pod_token_of_another_account";
  }

  /** What went wrong, for operators. */
  detailOf(podUid: string): string | undefined {
    return this.#verdicts.get(podUid)?.detail;
  }

  /** Has a pod's token reviewed, once however many ask. Never rejects: see problemOf. */
  async review(podUid: string): Promise<void> {
    const running = this.#underWay.get(podUid);
    if (running !== undefined) return running;
    const started = this.#review(podUid).finally(() => this.#underWay.delete(podUid));
    this.#underWay.set(podUid, started);
    await started;
  }

  #isRecent({ atMs, token }: Verdict): boolean {
    const forMs = token === undefined ? badForMs : goodForMs;
    return this.#deps.clock.monotonicMs() - atMs < forMs;
  }

  async #review(podUid: string): Promise<void> {
    const { clock } = this.#deps;
    const before = this.#verdicts.get(podUid);
    const verdict = await this.#ask(podUid).catch((err): Omit<Verdict, "atMs"> => {
      const { token, goodAtMs } = before ?? {};
      const isGood = goodAtMs !== undefined && clock.monotonicMs() - goodAtMs < graceMs;
      if (token !== undefined && isGood) return { token, goodAtMs };
      return { problem: "api_server_away", detail: describeError(err) };
    });
    if (this.#verdicts.size >= maxRemembered) this.#verdicts.clear();
    this.#verdicts.set(podUid, { ...verdict, atMs: clock.monotonicMs() });
  }

  async #ask(podUid: string): Promise<Omit<Verdict, "atMs">> {
    const { audience, nodeName, api } = this.#deps;
    const token = await this.#read(podUid);
    if (token === undefined) return { problem: "pod_token_missing" };
    const body = JSON.stringify({
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token, audiences: [audience] },
    });
    const limit = AbortSignal.timeout(timeLimitMs);
    const asked = { method: "POST", path: reviewPath, body } as const;
    const reviewed = parseTokenReview(await api.text(asked, maxAnswerBytes, limit), audience);
    if (reviewed === undefined) return { problem: "pod_token_refused" };
    if (reviewed.podUid !== podUid) return { problem: "pod_token_of_another_pod" };
    if (reviewed.nodeName !== nodeName) return { problem: "pod_token_of_another_node" };
    return { token: reviewed, goodAtMs: this.#deps.clock.monotonicMs() };
  }

  /** The token of any of the pod's volumes, as the kubelet gave it: by audience. */
  async #read(podUid: string): Promise<string | undefined> {
    const folder = `${this.#deps.folder}/${podUid}`;
    const names = await readdir(folder).catch(() => []);
    for (const name of names.filter((each) => !each.startsWith("."))) {
      const text = await readFile(`${folder}/${name}`, "utf8").catch(() => "");
      if (text.length > maxTokenBytes) continue;
      const token = tokenIn(text, this.#deps.audience);
      if (token !== undefined) return token;
    }
    return undefined;
  }
}

function tokenIn(text: string, audience: string): string | undefined {
  try {
    const given = fields(JSON.parse(text))[audience];
    const token = isFields(given) ? given["token"] : undefined;
    return typeof token === "string" && token !== "" ? token : undefined;
  } catch {
    // As good as none.
    return undefined;
  }
}
