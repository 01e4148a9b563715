/**
 * Asks the kubelet of this node for its pods, at its authenticated port. Of the agent's service account it takes the permission
 * to `get` `nodes/pods`, and nothing else.
 */
import type { KubeletSettings } from "../../config/workload-settings.ts";
import { BearerHttps, HttpsError, type HttpsProblem } from "./bearer-https.ts";
import { KubeletError } from "./kubelet-error.ts";
import { type PodList, parsePodList } from "./parse-pod-list.ts";

export interface KubeletClientOptions {
  readonly kubelet: KubeletSettings & { readonly host: string };
  /** The kubelet's certificate may name the node instead of its address. */
  readonly nodeName?: string | undefined;
  /** Milliseconds for one answer. */
  readonly timeLimitMs?: number;
  readonly maxBytes?: number;
}

/** Some kilobytes a pod, and a few hundred pods a node at most. */
const defaultMaxBytes = 64 * 1024 * 1024;
const defaultTimeLimitMs = 5_000;

export class KubeletClient implements Disposable {
  readonly #https: BearerHttps;
  readonly #timeLimitMs: number;
  readonly #maxBytes: number;

  constructor(options: KubeletClientOptions) {
    const { host, port, caFile, tokenFile, insecureSkipVerify } = options.kubelet;
    this.#https = new BearerHttps({
      host,
      port,
      caFile: insecureSkipVerify ? undefined : caFile,
      tokenFile,
      otherName: options.nodeName,
      maxSockets: 1,
    });
    this.#timeLimitMs = options.timeLimitMs ?? defaultTimeLimitMs;
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes;
  }

  /** @throws {KubeletError} */
  async listPods(signal: AbortSignal): Promise<PodList> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(this.#timeLimitMs)]);
    let json: string;
    try {
      json = await this.#https.text({ path: "/pods" }, this.#maxBytes, limited);
    } catch (cause) {
      if (!(cause instanceof HttpsError)) throw cause;
      throw new KubeletError(`kubelet_${cause.problem}`, remedies[cause.problem], { cause });
    }
    try {
      return parsePodList(json);
    } catch (cause) {
      throw new KubeletError("kubelet_failed", "the kubelet's answer cannot be read", { cause });
    }
  }

  [Symbol.dispose](): void {
    this.#https[Symbol.dispose]();
  }
}

const remedies: Readonly<Record<HttpsProblem, string>> = {
  unreachable: "the kubelet does not answer",
  untrusted: "the kubelet's certificate is not from the given CA, or for another name",
  unauthorized: "the kubelet does not take the agent's token",
  forbidden:
    "the agent's service account may not get nodes/pods (nodes/proxy before Kubernetes 1.33)",
  failed: "the kubelet did not list its pods",
  token_missing: "the kubelet cannot be asked",
};
