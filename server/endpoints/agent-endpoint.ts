import { constants } from "node:crypto";
import { once } from "node:events";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from "node:tls";
import { describeError } from "../../runtime/errors/describe.ts";
import type { ReadFeed } from "../../runtime/feed.ts";
import type { Ids } from "../../runtime/ids.ts";
import type { Logger } from "../../runtime/log.ts";
import { KEEP_ALIVE_MS } from "../../runtime/rpc/keep-alive.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Bundle } from "../../spiffe/bundle/bundle.ts";
import type { X509Svid } from "../../spiffe/svid/x509-svid.ts";
import { formatCertificatesPem } from "../../spiffe/x509/certificate-pem.ts";
import type { LimitSettings, ListenSettings } from "../config/endpoint-settings.ts";
import { type VerifiedClient, verifyClient } from "./client-certificate.ts";
import { ConnectionCounts } from "./connection-counts.ts";
import type { NetworkCallers } from "./network-callers.ts";

/** What the endpoint needs. */
export interface AgentEndpointDeps {
  readonly listen: ListenSettings;
  readonly limits: LimitSettings;
  /** How long after its end an agent's certificate still lets it in, in milliseconds; asked at each handshake. */
  readonly renewGrace: () => number;
  readonly identity: ReadFeed<X509Svid>;
  readonly bundle: ReadFeed<Bundle>;
  readonly callers: NetworkCallers;
  readonly ids: Ids;
  /** Starts to serve a connection. Rejects when its caller is known no more: the connection was ended before it began. */
  readonly inject: (socket: TLSSocket, connectionId: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The TCP listener: TLS with the server's own X509-SVID, and a client certificate or none, since agents that have yet to attest
 * have no certificate. Whoever presents one is verified against the live bundle before the first byte of a call is read, and is
 * turned away if it does not hold. No session is ever resumed: a resumed session would skip that check.
 */
export class AgentEndpoint implements AsyncDisposable {
  readonly #deps: AgentEndpointDeps;
  readonly #tcp: Server;
  readonly #tls: TlsServer;
  readonly #counts: ConnectionCounts;
  readonly #closed = new AbortController();
  #following: Promise<void> = Promise.resolve();

  /** Binds the address; connections are accepted when this resolves. */
  static async open(deps: AgentEndpointDeps): Promise<AgentEndpoint> {
    const endpoint = new AgentEndpoint(deps);
    const { address, port } = deps.listen;
    endpoint.#tcp.listen({ host: address, port, backlog: 1024 });
    await once(endpoint.#tcp, "listening");
    endpoint.#tcp.on("error", (err) => deps.log.error({ err }, "Accepting connections fails"));
    endpoint.#following = endpoint.#follow();
    return endpoint;
  }

  private constructor(deps: AgentEndpointDeps) {
    this.#deps = deps;
    this.#counts = new ConnectionCounts(deps.limits);
    this.#tls = createTlsServer({
      ...this.#contextOf(deps.identity.value),
      ALPNProtocols: ["h2"],
      requestCert: true,
      // The certificate is judged by us: OpenSSL knows neither the bundle nor the rules of X509-SVID.
      rejectUnauthorized: false,
      handshakeTimeout: deps.limits.handshakeTimeout,
    });
    this.#tls.on("secureConnection", (socket) => void this.#receive(socket));
    this.#tls.on("tlsClientError", (err, socket) => {
      deps.log.debug({ caller_addr: socket.remoteAddress, err }, "TLS handshake failed");
      socket.destroy();
    });
    this.#tcp = createTcpServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
      (socket) => this.#accept(socket),
    );
  }

  /** The address that is listened on, with the port that the system chose if none was given. */
  get address(): AddressInfo {
    const address = this.#tcp.address();
    if (address === null || typeof address === "string") throw new TypeError("not listening");
    return address;
  }

  /** Accepts no more connections. Those that are open go on. */
  stopAccepting(): void {
    this.#tcp.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    if (this.#tcp.listening) this.#tcp.close();
    await this.#following;
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? "";
    if (!this.#counts.add(address)) {
      this.#deps.log.warn({ caller_addr: address }, "Closed a connection beyond the limit");
      socket.destroy();
      return;
    }
    socket.once("close", () => this.#counts.remove(address));
    this.#tls.emit("connection", socket);
  }

  async #receive(socket: TLSSocket): Promise<void> {
    const { callers, ids, log } = this.#deps;
    const address = socket.remoteAddress ?? "";
    // Without a listener, a reset while we look things up would end the process.
    socket.on("error", () => {});
    const connectionId = ids.next();
    try {
      if (socket.isSessionReused()) throw new Error("session was resumed");
      if (socket.alpnProtocol !== "h2") throw new Error("HTTP/2 was not negotiated");
      const client = this.#verify(socket);
      socket.once("close", () => callers.remove(connectionId));
      if (client === undefined) callers.admitAnonymous(connectionId, address);
      else await callers.admit(connectionId, address, client.svid, client.graceMs);
      await this.#deps.inject(socket, connectionId);
    } catch (err) {
      log.info({ caller_addr: address, reason: describeError(err) }, "Refused a connection");
      socket.destroy();
    }
  }

  #verify(socket: TLSSocket): VerifiedClient | undefined {
    const { bundle, clock, renewGrace } = this.#deps;
    return verifyClient(socket, bundle.value, clock.now(), renewGrace());
  }

  async #follow(): Promise<void> {
    for await (const identity of this.#deps.identity.subscribe(this.#closed.signal)) {
      this.#tls.setSecureContext(this.#contextOf(identity));
    }
  }

  // All of it each time: what is not given when a context is replaced falls back to Node's defaults.
  #contextOf(identity: X509Svid): SecureContextOptions {
    return {
      key: identity.privateKey.export({ type: "pkcs8", format: "pem" }),
      cert: formatCertificatesPem(identity.certificates),
      // An empty list, so that clients are not told about authorities and nothing is taken from the machine.
      ca: [],
      minVersion: this.#deps.listen.tls.minVersion === "1.2" ? "TLSv1.2" : "TLSv1.3",
      secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    };
  }
}
