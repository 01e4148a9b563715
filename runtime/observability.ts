import { once } from "node:events";
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describeError } from "./errors/describe.ts";
import type { Health, HealthReport } from "./health.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";

// Not imported: that reads every export, and one of them loads a whole HTTP client, 5 MB of memory that nobody uses.
const { createServer } = process.getBuiltinModule("node:http");

/** Connections at a time. Probes and scrapers are few. */
const MAX_CONNECTIONS = 64;

/** A request must arrive within this time, and its connection may idle as long. */
const REQUEST_MS = 5_000;

/** What an {@link ObservabilityEndpoint} needs. */
export interface ObservabilityOptions {
  /** IP address to listen on. */
  readonly address: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** More names for what is here, such as "/healthz" for "/live": probes may have been written for another program. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/**
 * Plain HTTP for probes and scrapers: /live and /ready answer 200 or 503 with each check in the body, /metrics answers with
 * Prometheus' text. Changes nothing and shows no secrets; whoever reaches the address may read it.
 */
export class ObservabilityEndpoint implements AsyncDisposable {
  readonly #server: Server;

  /** Listens when it returns. */
  static async open(options: ObservabilityOptions): Promise<ObservabilityEndpoint> {
    const endpoint = new ObservabilityEndpoint(options);
    endpoint.#server.listen({ host: options.address, port: options.port });
    await once(endpoint.#server, "listening");
    return endpoint;
  }

  private constructor({ health, metrics, log, aliases = {} }: ObservabilityOptions) {
    const limits = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, maxHeaderSize: 8192 };
    this.#server = createServer(
      { ...limits, keepAliveTimeout: REQUEST_MS },
      (request, response) => {
        const asked = request.url?.split("?", 1)[0] ?? "";
        const path = Object.hasOwn(aliases, asked) ? aliases[asked] : asked;
        answer(response, request.method, path, health, metrics).catch((err: unknown) => {
          log.error({ err: describeError(err) }, "Observability request failed");
          send(response, 500, "text/plain", "internal error\n");
        });
      },
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** The port that was taken. */
  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

async function answer(
  response: ServerResponse,
  method: string | undefined,
  path: string | undefined,
  health: Health,
  metrics: Metrics,
): Promise<void> {
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    send(response, 405, "text/plain", "method not allowed\n");
    return;
  }
  switch (path) {
    case "/live":
      return sendReport(response, await health.live());
    case "/ready":
      return sendReport(response, await health.ready());
    case "/metrics":
      return send(response, 200, metrics.contentType, await metrics.text());
    default:
      return send(response, 404, "text/plain", "try /live, /ready or /metrics\n");
  }
}

function sendReport(response: ServerResponse, report: HealthReport): void {
  const status = report.state === "failed" ? 503 : 200;
  send(response, status, "application/json", `${JSON.stringify(report)}\n`);
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { "content-type": contentType, "cache-control": "no-store" });
  response.end(body);
}
