import type { Duplex } from "node:stream";
import type { ConnectionInjector } from "@grpc/grpc-js";
import type { StatusError } from "../errors/status-error.ts";
import type { ActiveCall } from "./active-call.ts";

/** A connection that was handed to grpc-js, and the calls that run on it. */
export class Connection<C> {
  readonly id: string;
  readonly caller: C;
  readonly calls: Set<ActiveCall<C>> = new Set();
  readonly #socket: Duplex;
  readonly #injector: ConnectionInjector;

  constructor(id: string, caller: C, socket: Duplex, injector: ConnectionInjector) {
    this.id = id;
    this.caller = caller;
    this.#socket = socket;
    this.#injector = injector;
  }

  /** Starts HTTP/2 on the socket. */
  open(): void {
    // grpc-js tells a handler only the remote address of the connection, so that is where the id goes. A port would be
    // appended to it.
    Object.defineProperty(this.#socket, "remoteAddress", { value: this.id });
    Object.defineProperty(this.#socket, "remotePort", { value: undefined });
    this.#injector.injectConnection(this.#socket);
  }

  /** Takes no more calls; closes when those that run have ended. */
  closePolitely(): void {
    this.#injector.destroy();
  }

  /** Ends all calls for `reason` and closes at once. */
  closeNow(reason: StatusError): void {
    for (const call of this.calls) call.end(reason);
    this.#socket.destroy();
  }

  /** Lets go of what grpc-js keeps for a connection. Call it when the socket has closed. */
  release(): void {
    this.#injector.destroy();
  }
}
