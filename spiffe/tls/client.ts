import { Agent, type AgentOptions, type RequestOptions } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import type { X509SvidSource } from "../svid/x509-svid.ts";
import { type PeerPolicy, verifyPeer } from "./peer-id.ts";
import { secureContextOf } from "./secure-context.ts";

/** One's own identity, and who is welcome on the other side. */
export interface MutualTls extends PeerPolicy {
  /** One's own X509-SVID; asked at each handshake, so that a rotation needs no restart. */
  readonly svid: X509SvidSource;
}

/** A server that has not finished its handshake after this long is given up. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Connects with mutual TLS. Resolves with a socket whose peer has been verified and authorised; host names play no part.
 *
 * @param target where to: `host` and `port`, `path`, or a `socket` that is connected already; ALPN may be given
 * @throws {SpiffeError} when the peer is not welcome; the error of the socket when there is no connection
 */
export function connectTls(
  target: Pick<ConnectionOptions, "host" | "port" | "path" | "socket" | "ALPNProtocols">,
  tls: MutualTls,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...target,
      secureContext: secureContextOf(tls.svid.x509Svid()),
      // Verified below by the rules of X509-SVID, with the bundle of the peer's own trust domain.
      rejectUnauthorized: false,
    });
    const fail = (err: unknown): void => {
      socket.destroy();
      reject(err);
    };
    const onClose = (): void => fail(new Error("connection closed during the TLS handshake"));
    const onTimeout = (): void => fail(new Error("TLS handshake timed out"));
    socket.setTimeout(HANDSHAKE_TIMEOUT_MS, onTimeout);
    socket.once("error", fail);
    socket.once("close", onClose);
    socket.once("secureConnect", () => {
      try {
        verifyPeer(socket, tls);
      } catch (err) {
        fail(err);
        return;
      }
      socket.setTimeout(0);
      socket.off("timeout", onTimeout).off("error", fail).off("close", onClose);
      resolve(socket);
    });
  });
}

/** An agent for node:https whose connections are mutual TLS between SVIDs. */
export class SpiffeHttpsAgent extends Agent {
  readonly #tls: MutualTls;

  constructor(tls: MutualTls, options: AgentOptions = {}) {
    // Cached sessions would skip the handshake in which SVIDs are shown.
    super({ ...options, maxCachedSessions: 0 });
    this.#tls = tls;
  }

  override createConnection(
    options: RequestOptions,
    callback?: (err: Error | null, stream: Duplex) => void,
  ): undefined {
    const { host, port } = options;
    const target = { ...(host && { host }), ...(port && { port: Number(port) }) };
    connectTls(target, this.#tls).then(
      (socket) => callback?.(null, socket),
      // The type asks for a stream even where there is none.
      (err) => callback?.(err, undefined as unknown as Duplex),
    );
    return undefined;
  }
}

/** What undici passes to a connector; see `Client.connect` there. */
export interface UndiciTarget {
  readonly hostname: string;
  readonly port: string;
  readonly httpSocket?: Socket | undefined;
}

/** How undici is told of the outcome. */
export type UndiciCallback = (...args: [null, TLSSocket] | [Error, null]) => void;

/** A connector for undici: `new Agent({ connect: undiciConnector(tls) })`. */
export function undiciConnector(
  tls: MutualTls,
): (target: UndiciTarget, callback: UndiciCallback) => void {
  return ({ hostname, port, httpSocket }, callback) => {
    const target = {
      host: hostname,
      port: Number(port || 443),
      ...(httpSocket && { socket: httpSocket }),
    };
    connectTls(target, tls).then(
      (socket) => callback(null, socket),
      (err) => callback(err instanceof Error ? err : new Error(String(err)), null),
    );
  };
}
