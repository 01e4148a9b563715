/**
 * Asks the kubelet of this node for its pods, at its authenticated port. Of the agent's service account it takes the permission
 * to `get` `nodes/pods`, and nothing else.
 */
import { readFile } from "node:fs/promises";
import { Agent, type RequestOptions, request } from "node:https";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { KubeletSettings } from "../../config/workload-settings.ts";
import { KubeletError, type KubeletProblem } from "./kubelet-error.ts";
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
  readonly #options: KubeletClientOptions;
  readonly #agent: Agent;

  constructor(options: KubeletClientOptions) {
    this.#options = options;
    // Here rather than at each request, which would keep connections from being used again.
    const { nodeName } = options;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: 1,
      checkServerIdentity: (host, certificate) =>
        checkNames(nodeName === undefined ? [host] : [host, nodeName], certificate),
    });
  }

  /** @throws {KubeletError} */
  async listPods(signal: AbortSignal): Promise<PodList> {
    const { timeLimitMs = defaultTimeLimitMs } = this.#options;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(timeLimitMs)]);
    const options = await this.#requestOptions();
    const json = await this.#get(options, limited);
    try {
      return parsePodList(json);
    } catch (cause) {
      throw new KubeletError("kubelet_failed", "the kubelet's answer cannot be read", { cause });
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  /** Token and CA are read each time: both are replaced while the agent runs. */
  async #requestOptions(): Promise<RequestOptions> {
    const { host, port, tokenFile, caFile, insecureSkipVerify } = this.#options.kubelet;
    const token = await readInput(tokenFile, "token");
    const ca = insecureSkipVerify ? undefined : await readInput(caFile, "CA");
    return {
      agent: this.#agent,
      host,
      port,
      path: "/pods",
      headers: { authorization: `Bearer ${token}`, accept: "application/json" },
      minVersion: "TLSv1.2",
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
    };
  }

  #get(options: RequestOptions, signal: AbortSignal): Promise<string> {
    const { maxBytes = defaultMaxBytes } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const asked = request({ ...options, signal }, (response) => {
      const problem = refusalOf(response.statusCode ?? 0);
      if (problem !== undefined) {
        reject(problem);
        asked.destroy();
        return;
      }
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size <= maxBytes) return;
        reject(new KubeletError("kubelet_failed", `the answer is over ${maxBytes} bytes`));
        asked.destroy();
      });
      response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
      response.on("error", (cause) => reject(failure(cause)));
    });
    asked.on("error", (cause) => reject(failure(cause)));
    asked.end();
    return promise;
  }
}

/** Why a certificate is for none of the names, or undefined. */
function checkNames(names: readonly string[], certificate: PeerCertificate): Error | undefined {
  const problems = names.map((name) => checkServerIdentity(name, certificate));
  return problems.includes(undefined) ? undefined : problems[0];
}

async function readInput(path: string, what: "token" | "CA"): Promise<string> {
  try {
    const text = (await readFile(path, "utf8")).trim();
    if (text !== "") return text;
  } catch (cause) {
    throw new KubeletError("kubelet_token_missing", `${what} file ${path} cannot be read`, {
      cause,
    });
  }
  throw new KubeletError("kubelet_token_missing", `${what} file ${path} is empty`);
}

function refusalOf(status: number): KubeletError | undefined {
  switch (status) {
    case 200:
      return undefined;
    case 401:
      return new KubeletError(
        "kubelet_unauthorized",
        "the kubelet does not take the agent's token (401)",
      );
    case 403:
      return new KubeletError(
        "kubelet_forbidden",
        "the agent's service account may not get nodes/pods (nodes/proxy before Kubernetes 1.33)",
      );
    default:
      return new KubeletError("kubelet_failed", `the kubelet answered ${status}`);
  }
}

/** Errors of TLS that say that the other side is not who it should be. */
const untrusted = /^(?:ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH)/;

function failure(cause: Error & { readonly code?: unknown }): KubeletError {
  const isUntrusted = typeof cause.code === "string" && untrusted.test(cause.code);
  const problem: KubeletProblem = isUntrusted ? "kubelet_untrusted" : "kubelet_unreachable";
  const message = isUntrusted
    ? "the kubelet's certificate cannot be verified"
    : "the kubelet does not answer";
  return new KubeletError(problem, message, { cause });
}
