import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { untilAborted } from "../../runtime/until-aborted.ts";
import { VERSION } from "../../runtime/version.ts";
import type { Access, TlsMaterial } from "./access.ts";
import { KubeError } from "./kube-error.ts";
import { readLines } from "./read-lines.ts";

/** One request to an API server. */
export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With its query. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Without it: application/json. */
  readonly contentType?: string;
  /** For error messages: "get pods apps/web". */
  readonly what: string;
}

/** A whole answer, whatever its status. */
export interface KubeAnswer {
  readonly status: number;
  readonly body: string;
  readonly retryAfter?: string | undefined;
}

/** An answer that goes on. */
export interface KubeStream {
  readonly status: number;
  /** Each line as it comes. Ends when the server ends it or the signal aborts. @throws {KubeError} */
  readonly lines: AsyncIterable<string>;
  /** The rest of a short answer. @throws {KubeError} */
  text(): Promise<string>;
}

/** Makes requests over the network. */
export interface Transport {
  /** @throws {KubeError} unavailable, timeout, too_large; the signal's reason when it aborts */
  request(
    request: KubeRequest,
    limits: { readonly timeoutMs: number; readonly maxBytes: number },
    signal: AbortSignal,
  ): Promise<KubeAnswer>;
  /** @param limits.idleMs the longest time without a byte */
  open(
    request: KubeRequest,
    limits: { readonly timeoutMs: number; readonly idleMs: number; readonly maxLineBytes: number },
    signal: AbortSignal,
  ): Promise<KubeStream>;
}

const KEEP_ALIVE_MS = 15_000;
const FREE_SOCKET_MS = 60_000;
const MAX_ERROR_BYTES = 64 * 1024;

/** Requests over HTTPS, with connections kept for the next ones. */
export class HttpsTransport implements Transport {
  readonly #access: Access;
  #agent: { readonly material: string; readonly agent: Agent } | undefined;

  constructor(access: Access) {
    this.#access = access;
  }

  async request(
    request: KubeRequest,
    { timeoutMs, maxBytes }: Parameters<Transport["request"]>[1],
    signal: AbortSignal,
  ): Promise<KubeAnswer> {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await this.#send(request, AbortSignal.any([signal, timeout]));
      const body = await readText(request, response, maxBytes);
      return {
        status: response.statusCode ?? 0,
        body,
        retryAfter: response.headers["retry-after"],
      };
    } catch (err) {
      throw explain(request, err, signal, timeout);
    }
  }

  async open(
    request: KubeRequest,
    { timeoutMs, idleMs, maxLineBytes }: Parameters<Transport["open"]>[1],
    signal: AbortSignal,
  ): Promise<KubeStream> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const opening = new AbortController();
    const giveUp = (): void => opening.abort(timeout.reason);
    timeout.addEventListener("abort", giveUp);
    let response: IncomingMessage;
    try {
      response = await this.#send(request, AbortSignal.any([signal, opening.signal]));
    } catch (err) {
      throw explain(request, err, signal, timeout);
    } finally {
      timeout.removeEventListener("abort", giveUp);
    }
    response.setTimeout(idleMs, () => {
      response.destroy(new KubeError("timeout", `${request.what}: silent for ${idleMs} ms`));
    });
    return {
      status: response.statusCode ?? 0,
      lines: linesOf(request, response, maxLineBytes, signal),
      text: () => readText(request, response, MAX_ERROR_BYTES),
    };
  }

  [Symbol.dispose](): void {
    this.#agent?.agent.destroy();
  }

  async #send(request: KubeRequest, signal: AbortSignal): Promise<IncomingMessage> {
    // A command or a login may hang; nobody can stop it, but nobody has to wait for it either.
    const credentials = await untilAborted(this.#access.credentials(), signal);
    const { server } = this.#access;
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const sending = httpsRequest({
      method: request.method,
      hostname: server.hostname.replace(/^\[|\]$/g, ""),
      port: server.port || 443,
      path: server.pathname.replace(/\/$/, "") + request.path,
      agent: credentials.agent ?? this.#agentFor(credentials.tls),
      signal,
      headers: {
        accept: "application/json",
        "user-agent": `assay/${VERSION}`,
        ...credentials.headers,
        ...(body === undefined
          ? {}
          : {
              "content-type": request.contentType ?? "application/json",
              "content-length": body.length,
            }),
      },
    });
    // What goes wrong after the answer has begun is told by the answer.
    sending.on("error", () => {});
    sending.end(body);
    const [response] = await once(sending, "response");
    return response;
  }

  // Connections are shared by what they were made with, so that a new certificate is used from the next request on.
  #agentFor(tls: TlsMaterial): Agent {
    const material = JSON.stringify([tls.ca, tls.cert, tls.key, tls.servername]);
    if (this.#agent?.material === material) return this.#agent.agent;
    const agent = new Agent({
      keepAlive: true,
      keepAliveMsecs: KEEP_ALIVE_MS,
      timeout: FREE_SOCKET_MS,
      // A session that is resumed skips the check of the certificate (decision D3).
      maxCachedSessions: 0,
      minVersion: "TLSv1.2",
      rejectUnauthorized: true,
      ...definedOnly(tls),
    });
    this.#agent = { material, agent };
    return agent;
  }
}

function definedOnly(tls: TlsMaterial): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [key, value] of Object.entries(tls)) if (value !== undefined) found[key] = value;
  return found;
}

async function readText(
  request: KubeRequest,
  response: IncomingMessage,
  maxBytes: number,
): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > maxBytes) {
      response.destroy();
      throw new KubeError("too_large", `${request.what}: the answer exceeds ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function* linesOf(
  request: KubeRequest,
  response: IncomingMessage,
  maxLineBytes: number,
  signal: AbortSignal,
): AsyncIterable<string> {
  try {
    yield* readLines(response, maxLineBytes);
  } catch (err) {
    if (signal.aborted) return;
    throw explain(request, err, signal);
  } finally {
    response.destroy();
  }
}

function explain(
  { what }: KubeRequest,
  err: unknown,
  signal: AbortSignal,
  timeout?: AbortSignal,
): unknown {
  if (signal.aborted) return signal.reason;
  if (err instanceof KubeError) return err;
  if (timeout?.aborted === true) return new KubeError("timeout", `${what}: no answer in time`);
  return new KubeError("unavailable", what, { cause: err });
}
