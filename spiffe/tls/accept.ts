import type { Duplex } from "node:stream";
import { createServer, type TLSSocket } from "node:tls";
import type { SpiffeId } from "../id/spiffe-id.ts";
import type { MutualTls } from "./client.ts";
import { verifyPeer } from "./peer-id.ts";
import { contextOptionsOf } from "./secure-context.ts";

/** A peer that has not finished its handshake after this long is given up. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** A connection whose peer was verified. */
export interface AcceptedTls {
  readonly socket: TLSSocket;
  readonly peer: SpiffeId;
}

/**
 * Makes mutual TLS of a connection that somebody else accepted, and knows who is on its other end. Resolves once the peer has
 * been verified and authorised; `verifyPeer` tells later whether that still holds.
 *
 * @param alpnProtocol what both sides have to speak, for example "h2"
 * @throws {SpiffeError} when the peer is not welcome; the error of the socket when there is no handshake. The connection is then
 *   closed
 */
export async function acceptTls(
  connection: Duplex,
  tls: MutualTls,
  alpnProtocol: string,
): Promise<AcceptedTls> {
  try {
    const socket = await handshake(connection, tls, alpnProtocol);
    // Without a listener, a reset before anybody takes the socket would end the process.
    socket.on("error", () => {});
    if (socket.alpnProtocol !== alpnProtocol) throw new Error(`${alpnProtocol} was not negotiated`);
    return { socket, peer: verifyPeer(socket, tls) };
  } catch (err) {
    connection.destroy();
    throw err;
  }
}

function handshake(connection: Duplex, tls: MutualTls, alpnProtocol: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    // One for each connection, since what it hands over does not say which connection it was.
    const server = createServer({
      ...contextOptionsOf(tls.svid.x509Svid()),
      requestCert: true,
      // Verified by the rules of X509-SVID.
      rejectUnauthorized: false,
      ALPNProtocols: [alpnProtocol],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    server.once("secureConnection", resolve);
    server.once("tlsClientError", reject);
    connection.once("close", () => reject(new Error("connection closed during the TLS handshake")));
    server.emit("connection", connection);
  });
}
