import type { RequestListener } from "node:http";
import { createServer as createHttps, type Server as HttpsServer } from "node:https";
import { createServer as createTls, type TLSSocket, type Server as TlsServer } from "node:tls";
import type { ReadFeed } from "../../runtime/feed.ts";
import type { X509Svid, X509SvidSource } from "../svid/x509-svid.ts";
import type { MutualTls } from "./client.ts";
import { verifyPeer } from "./peer-id.ts";
import { contextOptionsOf } from "./secure-context.ts";

/** One's own SVID where a change of it can be noticed, such as an X509Source. */
export interface WatchedX509SvidSource extends X509SvidSource {
  /** The latest SVID; undefined while there is none. */
  readonly current: ReadFeed<X509Svid | undefined>;
}

/** One's own identity, who is welcome, and what to do about those who are not. */
export interface MutualTlsServer extends MutualTls {
  readonly svid: WatchedX509SvidSource;
  /** Told of each peer that was refused; the connection is closed already. */
  readonly onRefused?: (err: unknown, remoteAddress: string | undefined) => void;
}

const handshake = {
  requestCert: true,
  // Verified by us, see onlyWelcome.
  rejectUnauthorized: false,
  handshakeTimeout: 10_000,
} as const;

/**
 * A TLS server that hands over connections only from peers that have been verified and authorised. It follows the SVID's
 * rotations, and refuses everybody while it has none. Ends following when it closes.
 */
export function createTlsServer(
  tls: MutualTlsServer,
  onConnection: (socket: TLSSocket) => void,
  options: { readonly alpnProtocols?: string[] } = {},
): TlsServer {
  const { alpnProtocols } = options;
  const server = createTls({
    ...handshake,
    ...(alpnProtocols && { ALPNProtocols: alpnProtocols }),
  });
  followSvid(server, tls.svid.current);
  onlyWelcome(server, tls);
  server.on("secureConnection", (socket) => {
    if (!socket.destroyed) onConnection(socket);
  });
  return server;
}

/** An HTTPS server on the same terms; `peerIdOf(request.socket)` tells who is asking. */
export function createHttpsServer(tls: MutualTlsServer, onRequest: RequestListener): HttpsServer {
  const server = createHttps(handshake, onRequest);
  followSvid(server, tls.svid.current);
  onlyWelcome(server, tls);
  return server;
}

/** Runs before every other listener, hence before a byte of the peer's is read. */
function onlyWelcome(server: TlsServer, tls: MutualTlsServer): void {
  server.prependListener("secureConnection", (socket) => {
    try {
      // An identity that was withdrawn must not be shown any longer.
      tls.svid.x509Svid();
      verifyPeer(socket, tls);
    } catch (err) {
      const { remoteAddress } = socket;
      socket.destroy();
      tls.onRefused?.(err, remoteAddress);
    }
  });
  server.on("tlsClientError", (err, socket) => tls.onRefused?.(err, socket.remoteAddress));
}

function followSvid(server: TlsServer, current: ReadFeed<X509Svid | undefined>): void {
  const closed = new AbortController();
  server.once("close", () => closed.abort());
  const use = (svid: X509Svid | undefined): void => {
    if (svid !== undefined) server.setSecureContext(contextOptionsOf(svid));
  };
  use(current.value);
  void follow(current, use, closed.signal);
}

async function follow<T>(
  feed: ReadFeed<T>,
  use: (value: T) => void,
  signal: AbortSignal,
): Promise<void> {
  for await (const value of feed.subscribe(signal)) use(value);
}
