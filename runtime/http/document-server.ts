import { constants, hash } from "node:crypto";
import { once } from "node:events";
import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import { describeError } from "../errors/describe.ts";
import type { ReadFeed } from "../feed.ts";
import type { Logger } from "../log.ts";
import { placeSocket, removeSocket, type SocketFile } from "../peer/socket-file.ts";

// Not imported: that reads every export, and one of them loads a whole HTTP client, 5 MB of memory that nobody uses.
const http = process.getBuiltinModule("node:http");
const https = process.getBuiltinModule("node:https");

/** A document as it is answered with. */
export interface ServedDocument {
  readonly body: string;
  readonly contentType: string;
  /** What caches may do with it. */
  readonly cacheControl: string;
}

/** Another protocol on the HTTPS port that is over once the handshake is, such as that of TLS-ALPN-01 (RFC 8737). */
export interface HandshakeOnly {
  /** Its name in ALPN. */
  readonly protocol: string;
  /** What is shown to who asks for a server name now; undefined refuses the handshake. */
  certificateFor(servername: string): KeyAndCertificate | undefined;
}

/** A private key and its certificate, in PEM. */
export interface KeyAndCertificate {
  readonly key: string;
  /** With the intermediates behind it. */
  readonly cert: string;
}

/** HTTPS on the network, or HTTP on a Unix socket for a proxy on this machine. */
export type DocumentListen =
  | {
      /** IP address to listen on. */
      readonly address: string;
      /** 0 for any free port. */
      readonly port: number;
      /** Certificate and key; what is shown follows it, from the next handshake on. */
      readonly certificate: ReadFeed<SecureContextOptions>;
      readonly handshakeOnly?: HandshakeOnly | undefined;
    }
  | {
      readonly socketPath: string;
      /** Permission bits of the socket. */
      readonly mode: number;
    };

export type DocumentServerOptions = DocumentListen & {
  /** Connections at the same time; more are closed at once. */
  readonly maxConnections: number;
  /**
   * What stands under a path now; undefined for nothing, "later" for what cannot be told yet.
   *
   * @param host the Host header, as it came
   */
  readonly documentAt: (path: string, host: string) => ServedDocument | "later" | undefined;
  readonly log: Logger;
};

/** A request's head must be here within this time, and an idle connection is kept as long. */
const HEAD_MS = 5_000;
/** A connection on which nothing moves for this long is closed, also in the middle of an answer. */
const STILL_MS = 10_000;
const MAX_HEAD_BYTES = 8192;
const MAX_REQUESTS_PER_CONNECTION = 100;

/**
 * Serves a few public documents, to anybody: GET and HEAD of known paths, with entity tags. It asks for no client
 * certificate, reads no body, and takes no notice of credentials. No session is resumed.
 */
export class DocumentServer implements AsyncDisposable {
  readonly #server: HttpServer | HttpsServer;
  #file: SocketFile | undefined;
  readonly #closed = new AbortController();
  readonly #following: Promise<void>;

  /** Listens when it returns. */
  static async open(options: DocumentServerOptions): Promise<DocumentServer> {
    const server = new DocumentServer(options);
    if ("socketPath" in options) {
      const { socketPath, mode } = options;
      server.#file = await placeSocket(socketPath, mode, (path) => server.#listen({ path }));
    } else {
      await server.#listen({ host: options.address, port: options.port });
    }
    server.#server.on("error", (err) => options.log.error({ err }, "Accepting connections fails"));
    return server;
  }

  private constructor(options: DocumentServerOptions) {
    const { documentAt, log } = options;
    const limits = {
      headersTimeout: HEAD_MS,
      requestTimeout: HEAD_MS,
      keepAliveTimeout: HEAD_MS,
      maxHeaderSize: MAX_HEAD_BYTES,
    };
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      try {
        answer(request, response, documentAt);
      } catch (err) {
        log.error({ err: describeError(err) }, "Document could not be served");
        refuse(response, 500, "internal error\n");
      }
    };
    if ("socketPath" in options) {
      this.#server = http.createServer(limits, onRequest);
      this.#following = Promise.resolve();
    } else {
      const { certificate, handshakeOnly } = options;
      const context = contextOf(certificate.value);
      const tls = { ...context, ...alpnOf(handshakeOnly), handshakeTimeout: HEAD_MS };
      const server = https.createServer({ ...tls, ...limits }, onRequest);
      server.prependListener("secureConnection", (socket) => {
        if (socket.alpnProtocol === handshakeOnly?.protocol) socket.end();
      });
      this.#server = server;
      this.#following = this.#follow(server, certificate);
    }
    this.#server.maxConnections = options.maxConnections;
    this.#server.maxRequestsPerSocket = MAX_REQUESTS_PER_CONNECTION;
    this.#server.setTimeout(STILL_MS);
    this.#server.on("tlsClientError", (err, socket) => {
      log.debug({ caller_addr: socket.remoteAddress, err }, "TLS handshake failed");
      socket.destroy();
    });
  }

  /** The port that was taken; 0 on a Unix socket. */
  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    if (this.#file !== undefined) await removeSocket(this.#file);
    this.#file = undefined;
    if (this.#server.listening) {
      const closed = once(this.#server, "close");
      this.#server.close();
      this.#server.closeAllConnections();
      await closed;
    }
    await this.#following;
  }

  async #listen(where: { path: string } | { host: string; port: number }): Promise<void> {
    this.#server.listen(where);
    await once(this.#server, "listening");
  }

  async #follow(server: HttpsServer, certificate: ReadFeed<SecureContextOptions>): Promise<void> {
    for await (const context of certificate.subscribe(this.#closed.signal)) {
      server.setSecureContext(contextOf(context));
    }
  }
}

const HTTP = "http/1.1";

/** How a protocol is agreed upon. With neither in common there is no connection. */
function alpnOf(handshakeOnly: HandshakeOnly | undefined) {
  if (handshakeOnly === undefined) return { ALPNProtocols: [HTTP] };
  const { protocol } = handshakeOnly;
  return {
    ALPNCallback(
      this: TLSSocket,
      { servername, protocols }: { readonly servername: string; readonly protocols: string[] },
    ): string | undefined {
      if (!protocols.includes(protocol)) return protocols.includes(HTTP) ? HTTP : undefined;
      const shown = handshakeOnly.certificateFor(servername);
      if (shown === undefined) return undefined;
      this.setKeyCert(shown);
      return protocol;
    },
  };
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
  const document = documentAt(path, headers.host ?? "");
  if (document === undefined) {
    refuse(response, 404, "not found\n");
    return;
  }
  if (document === "later") {
    response.setHeader("retry-after", "1");
    refuse(response, 503, "not available yet\n");
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
