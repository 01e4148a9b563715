import { createServer, type Server, type Socket } from "node:net";
import { Ids } from "../ids.ts";
import type { Logger } from "../log.ts";
import type { Random } from "../random.ts";
import {
  fileDescriptor,
  openPeerReader,
  type PeerCredentials,
  type PeerReader,
} from "./credentials.ts";
import { PeerGoneError } from "./peer-gone-error.ts";
import { closeWaiting } from "./raw-listener.ts";
import { placeSocket, removeSocket, type SocketFile } from "./socket-file.ts";

/** Connections that the kernel may hold for us; it takes no more than net.core.somaxconn. */
const BACKLOG = 4096;

/** Where a {@link UnixListener} listens: a path of its own, or a listening socket that a supervisor passed. */
export type UnixEndpoint =
  | { readonly path: string; readonly mode: number }
  | { readonly fd: number };

/** What a {@link UnixListener} needs. */
export interface UnixListenerOptions {
  readonly endpoint: UnixEndpoint;
  /** Connections at a time, of all callers together; more are closed at once. */
  readonly maxConnections: number;
  /**
   * Whether this caller may have one more connection. Called once for each, in the moment it is accepted; for each that it
   * admits, `onConnection` follows. Must be quick: others wait.
   */
  readonly admit?: (peer: PeerCredentials) => boolean;
  /** Whether a connection is handed over before any of it is read, for whoever receives descriptors on it. Default: no. */
  readonly pauseOnConnect?: boolean;
  /** Takes the connection. Its peer's handle stays open until the socket closes. */
  readonly onConnection: (socket: Socket, peer: PeerCredentials, connectionId: string) => void;
  readonly log: Logger;
  readonly random: Random;
  /** Default: the kernel's word on this platform. */
  readonly peers?: PeerReader;
}

/**
 * Accepts connections on a Unix socket and says who is on the other end of each before a byte of it is read. A caller that is
 * refused, or cannot be known, is disconnected at once, so that it uses up nothing that others need.
 */
export class UnixListener implements AsyncDisposable {
  readonly #options: UnixListenerOptions;
  readonly #peers: PeerReader;
  readonly #ids: Ids;
  readonly #server: Server;
  #open = 0;
  #failing = false;
  #file: SocketFile | undefined;

  /**
   * Listens when it returns.
   *
   * @throws {Error} if the path is taken, or peers cannot be known on this platform
   */
  static async open(options: UnixListenerOptions): Promise<UnixListener> {
    const listener = new UnixListener(options);
    await listener.#start(options.endpoint);
    return listener;
  }

  private constructor(options: UnixListenerOptions) {
    this.#options = options;
    this.#peers = options.peers ?? openPeerReader();
    this.#ids = new Ids(options.random);
    const { pauseOnConnect = false } = options;
    this.#server = createServer({ pauseOnConnect }, (socket) => this.#accept(socket));
  }

  /** How many connections are open. */
  get connectionCount(): number {
    return this.#open;
  }

  /** Stops listening and takes the socket's path away. Open connections stay: they belong to those who took them. */
  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) await removeSocket(file);
    this.#server.close();
  }

  async #start(endpoint: UnixEndpoint): Promise<void> {
    if ("fd" in endpoint) {
      this.#refuseWaiting(endpoint.fd);
      await this.#listen({ fd: endpoint.fd });
    } else {
      this.#file = await placeSocket(endpoint.path, endpoint.mode, (path) =>
        this.#listen({ path }),
      );
    }
    // Too few descriptors, for one. Said once until it works again: those who cause it must not fill the log.
    this.#server.on("error", (err) => {
      if (!this.#failing) this.#options.log.error({ err }, "Accepting connections fails");
      this.#failing = true;
    });
  }

  /** Connections that came while nobody accepted: if we cannot tell who made them they are nobody's. */
  #refuseWaiting(fd: number): void {
    if (this.#peers.knowsThoseWhoWaited) return;
    const count = closeWaiting(fd, BACKLOG + 1);
    if (count > 0) {
      this.#options.log.info({ count }, "Closed connections whose makers this kernel cannot name");
    }
  }

  #listen(where: { path: string } | { fd: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ ...where, backlog: BACKLOG }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  #accept(socket: Socket): void {
    this.#failing = false;
    // A connection may break before anybody listens for that.
    socket.on("error", () => {});
    const peer = this.#open < this.#options.maxConnections ? this.#identify(socket) : undefined;
    if (peer === undefined) {
      socket.destroy();
      return;
    }
    this.#open += 1;
    socket.once("close", () => {
      this.#open -= 1;
      peer.pidfd?.[Symbol.dispose]();
    });
    this.#options.onConnection(socket, peer, this.#ids.next());
  }

  /** Undefined if the caller is not to be served. */
  #identify(socket: Socket): PeerCredentials | undefined {
    try {
      const peer = this.#peers.read(fileDescriptor(socket));
      if (this.#options.admit?.(peer) ?? true) return peer;
      peer.pidfd?.[Symbol.dispose]();
    } catch (err) {
      if (!(err instanceof PeerGoneError)) {
        this.#options.log.warn({ err }, "Refused a connection whose peer cannot be known");
      }
    }
    return undefined;
  }
}
