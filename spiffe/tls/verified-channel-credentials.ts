import type { Socket } from "node:net";
import { connect, type SecureContext, type TLSSocket } from "node:tls";
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js";
import { KEEP_ALIVE_MS } from "../../runtime/rpc/keep-alive.ts";
import { peerChain } from "./peer-chain.ts";

/** A server that has not finished its handshake after this long is given up. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

/**
 * TLS for a gRPC channel in which we alone decide whom we speak to: no root store, no host name, no resumed session. `verify`
 * sees the peer's chain (leaf first, DER) after each handshake and before the first byte of HTTP/2, and throws to refuse it.
 */
export class VerifiedTlsCredentials extends ChannelCredentials {
  readonly #context: () => SecureContext;
  readonly #verify: (chainDer: readonly Uint8Array[]) => void;

  /**
   * @param context asked for at each connection; with our certificate, if any, and made with `ca: []`, so that no root
   *   certificates are loaded
   */
  constructor(context: () => SecureContext, verify: (chainDer: readonly Uint8Array[]) => void) {
    super();
    this.#context = context;
    this.#verify = verify;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(): SecureConnector {
    return {
      connect: async (socket) => ({ socket: await this.#handshake(socket), secure: true }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => CallCredentials.createEmpty(),
      destroy: () => {},
    };
  }

  #handshake(socket: Socket): Promise<TLSSocket> {
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return new Promise((resolve, reject) => {
      const tls = connect({
        socket,
        secureContext: this.#context(),
        ALPNProtocols: ["h2"],
        // The chain is verified below, against the bundle of the trust domain instead of a root store.
        rejectUnauthorized: false,
      });
      const fail = (err: unknown): void => {
        tls.destroy();
        reject(err);
      };
      tls.setTimeout(HANDSHAKE_TIMEOUT_MS, () => fail(new Error("TLS handshake timed out")));
      tls.once("error", fail);
      tls.once("close", () => fail(new Error("connection closed during the TLS handshake")));
      tls.once("secureConnect", () => {
        try {
          if (tls.alpnProtocol !== "h2") throw new Error("server does not speak HTTP/2");
          this.#verify(peerChain(tls));
        } catch (err) {
          fail(err);
          return;
        }
        tls.setTimeout(0);
        tls.removeAllListeners("timeout");
        resolve(tls);
      });
    });
  }
}
