import { constants, hash } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { SecureContextOptions } from "node:tls";
import { describeError } from "../errors/describe.ts";
import type { ReadFeed } from "../feed.ts";
import type { Logger } from "../log.ts";

// Not imported: that reads every export, and one of them loads a whole HTTP client, 5 MB of memory that nobody uses.
const { createServer } = process.getBuiltinModule("node:https");

/** A document as it is answered with. */
export interface ServedDocument {
  readonly body: string;
  readonly contentType: string;
  /** What caches may do with it. */
  readonly cacheControl: string;
}

export interface DocumentServerOptions {
  /** IP address to listen on. */
  readonly address: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Connections at the same time; more are closed at once. */
  readonly maxConnections: number;
  /** Certificate and key; what is shown follows it, from the next handshake on. */
  readonly certificate: ReadFeed<SecureContextOptions>;
  /** What stands under a path now; undefined for nothing. */
  readonly documentAt: (path: string) => ServedDocument | undefined;
  readonly log: Logger;
}

/** A request's head must be here within this time, and an idle connection is kept as long. */
const HEAD_MS = 5_000;
/** A connection on which nothing moves for this long is closed, also in the middle of an answer. */
const STILL_MS = 10_000;
const MAX_HEAD_BYTES = 8192;
const MAX_REQUESTS_PER_CONNECTION = 100;

/**
 * Serves a few public documents over HTTPS, to anybody: GET and HEAD of known paths, with entity tags. It asks for no client
 * certificate, reads no body, and takes no notice of credentials. No session is resumed.
 */
export class DocumentServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #closed = new AbortController();
  readonly #following: Promise<void>;

  /** Listens when it returns. */
  static async open(options: DocumentServerOptions): Promise<DocumentServer> {
    const server = new DocumentServer(options);
    server.#server.listen({ host: options.address, port: options.port });
    await once(server.#server, "listening");
    server.#server.on("error", (err) => options.log.error({ err }, "Accepting connections fails"));
    return server;
  }

  private constructor(options: DocumentServerOptions) {
    const { certificate, documentAt, log } = options;
    this.#server = createServer(
      {
        ...contextOf(certificate.value),
        ALPNProtocols: ["http/1.1"],
        handshakeTimeout: HEAD_MS,
        headersTimeout: HEAD_MS,
        requestTimeout: HEAD_MS,
        keepAliveTimeout: HEAD_MS,
        maxHeaderSize: MAX_HEAD_BYTES,
      },
      (request, response) => {
        try {
          answer(request, response, documentAt);
        } catch (err) {
          log.error({ err: describeError(err) }, "Document could not be served");
          refuse(response, 500, "internal error\n");
        }
      },
    );
    this.#server.maxConnections = options.maxConnections;
    this.#server.maxRequestsPerSocket = MAX_REQUESTS_PER_CONNECTION;
    this.#server.setTimeout(STILL_MS);
    this.#server.on("tlsClientError", (err, socket) => {
      log.debug({ caller_addr: socket.remoteAddress, err }, "TLS handshake failed");
      socket.destroy();
    });
    this.#following = this.#follow(certificate);
  }

  /** The port that was taken. */
  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    if (this.#server.listening) {
      const closed = once(this.#server, "close");
      this.#server.close();
      this.#server.closeAllConnections();
      await closed;
    }
    await this.#following;
  }

  async #follow(certificate: ReadFeed<SecureContextOptions>): Promise<void> {
    for await (const context of certificate.subscribe(this.#closed.signal)) {
      this.#server.setSecureContext(contextOf(context));
    }
  }
}

function contextOf(certificate: SecureContextOptions): SecureContextOptions {
  return { minVersion: "TLSv1.2", secureOptions: constants.SSL_OP_NO_TICKET, ...certificate };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  documentAt: DocumentServerOptions["documentAt"],
): void {
  const { method, headers, url = "" } = request;
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    refuse(response, 405, "method not allowed\n");
    return;
  }
  // A body has no meaning here, and what is not read would be taken for the next request.
  if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0) {
    refuse(response, 400, "a body is not expected\n");
    return;
  }
  const [path = ""] = url.split("?", 1);
  const document = documentAt(path);
  if (document === undefined) {
    refuse(response, 404, "not found\n");
    return;
  }
  const { body, contentType, cacheControl } = document;
  const etag = `"${hash("sha256", body, "base64url")}"`;
  response.setHeader("etag", etag);
  response.setHeader("cache-control", cacheControl);
  response.setHeader("x-content-type-options", "nosniff");
  if (isHeld(headers["if-none-match"], etag)) {
    response.writeHead(304).end();
    return;
  }
  response.writeHead(200, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
  });
  response.end(method === "HEAD" ? undefined : body);
}

/** Whether the caller says that it has the document (RFC 9110 13.1.2). */
function isHeld(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes(etag) || tags.includes("*");
}

function refuse(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    connection: "close",
  });
  response.end(body);
}
