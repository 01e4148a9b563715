/** Requests over HTTPS with a service account's token: to the kubelet, and to the API server. */
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { checkServerIdentity, type PeerCertificate } from "node:tls";

/** Why there was no answer that could be used. */
export type HttpsProblem =
  | "unreachable"
  | "untrusted"
  | "unauthorized"
  | "forbidden"
  | "failed"
  | "token_missing";

/** A request that was not answered as it should be. The message never holds anything of the answer's body. */
export class HttpsError extends Error {
  override readonly name = "HttpsError";
  readonly problem: HttpsProblem;
  /** Of the answer, if there was one. */
  readonly status?: number;

  constructor(
    problem: HttpsProblem,
    message: string,
    options: ErrorOptions & { readonly status?: number } = {},
  ) {
    super(message, options);
    this.problem = problem;
    if (options.status !== undefined) this.status = options.status;
  }
}

export interface BearerHttpsOptions {
  readonly host: string;
  readonly port: number;
  /** PEM file of the CAs that the other side's certificate may be from; undefined takes any certificate. */
  readonly caFile: string | undefined;
  readonly tokenFile: string;
  /** The certificate may be for this name instead of the host's. */
  readonly otherName?: string | undefined;
  readonly maxSockets: number;
}

export interface HttpsRequest {
  readonly method?: "GET" | "POST";
  readonly path: string;
  readonly accept?: string;
  /** JSON. */
  readonly body?: string;
}

export class BearerHttps implements Disposable {
  readonly #options: BearerHttpsOptions;
  readonly #agent: Agent;

  constructor(options: BearerHttpsOptions) {
    const { otherName, maxSockets } = options;
    this.#options = options;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets,
      // A session that is resumed skips the check of the certificate (decision D3).
      maxCachedSessions: 0,
      // Here rather than at each request, which would keep connections from being used again.
      checkServerIdentity: (host, certificate) =>
        checkNames(otherName === undefined ? [host] : [host, otherName], certificate),
    });
  }

  /**
   * Sends a request and reads the whole answer. Token and CA are read each time: both are replaced while the agent runs.
   *
   * @throws {HttpsError} for anything but 200 and 201, and for an answer beyond `maxBytes`
   */
  async text(asked: HttpsRequest, maxBytes: number, signal: AbortSignal): Promise<string> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of this.chunks(asked, signal)) {
      size += chunk.length;
      if (size > maxBytes) throw new HttpsError("failed", `the answer is over ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  }

  /** The same piece by piece, as it comes. */
  async *chunks(asked: HttpsRequest, signal: AbortSignal): AsyncGenerator<Buffer> {
    const response = await this.#send(asked, signal);
    try {
      for await (const chunk of response) yield chunk;
    } catch (cause) {
      throw failureOf(cause);
    } finally {
      // Of no effect after the last piece; the connection is then free for the next request.
      response.destroy();
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #send(asked: HttpsRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const { host, port, caFile, tokenFile } = this.#options;
    const { method = "GET", path, accept = "application/json", body } = asked;
    const token = await readInput(tokenFile, "token");
    const ca = caFile === undefined ? undefined : await readInput(caFile, "CA");
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const sent = request({
      agent: this.#agent,
      host,
      port,
      method,
      path,
      headers: {
        authorization: `Bearer ${token}`,
        accept,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      minVersion: "TLSv1.2",
      signal,
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
    });
    sent.on("response", (response) => {
      const problem = refusalOf(response.statusCode ?? 0);
      if (problem === undefined) resolve(response);
      else {
        reject(problem);
        sent.destroy();
      }
    });
    sent.on("error", (cause) => reject(failureOf(cause)));
    sent.end(body);
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
    throw new HttpsError("token_missing", `${what} file ${path} cannot be read`, { cause });
  }
  throw new HttpsError("token_missing", `${what} file ${path} is empty`);
}

function refusalOf(status: number): HttpsError | undefined {
  switch (status) {
    case 200:
    case 201:
      return undefined;
    case 401:
      return new HttpsError("unauthorized", "the agent's token is not taken (401)", { status });
    case 403:
      return new HttpsError("forbidden", "the agent's service account may not (403)", { status });
    default:
      return new HttpsError("failed", `the answer was ${status}`, { status });
  }
}

/** Errors of TLS that say that the other side is not who it should be. */
const untrusted = /^(?:ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH)/;

function failureOf(cause: unknown): HttpsError {
  if (cause instanceof HttpsError) return cause;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return typeof code === "string" && untrusted.test(code)
    ? new HttpsError("untrusted", "the certificate cannot be verified", { cause })
    : new HttpsError("unreachable", "there is no answer", { cause });
}
