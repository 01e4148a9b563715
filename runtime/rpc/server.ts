import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import {
  logVerbosity,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerOptions,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { Status, StatusError, unavailable } from "../errors/status-error.ts";
import { Ids } from "../ids.ts";
import type { Logger } from "../log.ts";
import type { Random } from "../random.ts";
import type { Clock } from "../time/clock.ts";
import { ActiveCall, type CallDeps, type GrpcCall } from "./active-call.ts";
import { Connection } from "./connection.ts";
import { methodPath, rawMethod } from "./definition.ts";
import { toStatusObject } from "./errors.ts";
import { interceptedCall, onceClosed, resetStream } from "./grpc-internals.ts";
import { adaptMethod } from "./handler.ts";
import type { Interceptor } from "./interceptor.ts";
import { DEFAULT_RPC_LIMITS, type RpcLimits } from "./limits.ts";
import { Overdue } from "./overdue.ts";
import type { Registration } from "./service.ts";

/** How often limits of time are looked after, hence how late an excess may be noticed. */
const SWEEP_MS = 1_000;

const CALL_OVER = new StatusError(Status.CANCELLED, "call is over");
const CONNECTION_CLOSED = unavailable("connection closed");

/** What an {@link RpcServer} is made of. */
export interface RpcServerOptions<C> {
  readonly services: readonly Registration<C>[];
  /** Around every call, in this order, the first outermost. */
  readonly interceptors: readonly Interceptor<C>[];
  /** Who is on the other end of a connection; asked once, when the connection is injected. */
  readonly callerOf: (connectionId: string) => C;
  /**
   * Whether a caller may have one more call; asked when its headers are here and before any of its message is, so that what a
   * caller can make us hold is bounded over all its connections. What is returned is disposed of when the call's stream closes;
   * what is thrown is the status that the call is refused with.
   */
  readonly admit?: (caller: C, call: { readonly isStream: boolean }) => Disposable;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Those not given are {@link DEFAULT_RPC_LIMITS}. */
  readonly limits?: Partial<RpcLimits>;
}

/**
 * A gRPC server that listens on nothing. Whoever accepts a connection finds out who is on the other end and then injects the
 * socket, so that every call has a caller that was established before its first byte was read. Callers of type `C` reach
 * handlers and interceptors through {@link CallContext}.
 */
export class RpcServer<C> implements AsyncDisposable {
  readonly #callerOf: (connectionId: string) => C;
  readonly #admit: RpcServerOptions<C>["admit"];
  readonly #grpc: Server;
  readonly #clock: Clock;
  readonly #connections = new Map<string, Connection<C>>();
  readonly #callDeps: CallDeps;
  readonly #overdueFirstCalls: Overdue<Connection<C>>;
  readonly #overdueClosings: Overdue<Connection<C>>;
  readonly #overdueRequests: Overdue<ServerInterceptingCallInterface>;
  readonly #slowReaders: Overdue<() => void>;
  readonly #stopped = new AbortController();
  readonly #sweeping: Promise<void>;
  #draining = false;
  #onEmpty: (() => void) | undefined;

  /** Makes a server that is ready for connections. */
  static create<C>(options: RpcServerOptions<C>): RpcServer<C> {
    return new RpcServer(options);
  }

  private constructor(o: RpcServerOptions<C>) {
    // Else grpc-js writes metadata that callers send to standard error.
    setLogVerbosity(logVerbosity.NONE);
    const limits = { ...DEFAULT_RPC_LIMITS, ...o.limits };
    const ids = new Ids(o.random);
    this.#callerOf = o.callerOf;
    this.#admit = o.admit;
    this.#clock = o.clock;
    this.#callDeps = { log: o.log, newRequestId: () => ids.next() };
    const unused = unavailable("connection made no call");
    this.#overdueClosings = new Overdue(o.clock, 0, (connection) => connection.closeNow(unused));
    this.#overdueFirstCalls = new Overdue(o.clock, limits.firstCallMs, (connection) => {
      // Politely, so that a client whose first call crosses it on the way knows to make it again.
      connection.closePolitely();
      this.#overdueClosings.expect(connection);
    });
    this.#overdueRequests = new Overdue(o.clock, limits.requestMs, (call) => {
      call.sendStatus({
        code: Status.DEADLINE_EXCEEDED,
        details: "request did not arrive in time",
      });
      resetStream(call, true);
    });
    this.#slowReaders = new Overdue(o.clock, limits.slowReaderMs, (giveUp) => giveUp());
    this.#grpc = new Server(this.#grpcOptions(limits));
    for (const registration of o.services) this.#register(registration, o.interceptors);
    this.#sweeping = this.#sweep();
  }

  /**
   * Starts to serve a connection. The socket belongs to the server from here on; a TLS socket that did not negotiate "h2" is
   * closed. Its remote address is replaced by `connectionId`: read it before.
   *
   * @param connectionId unique among the connections of this server; see {@link Ids}
   */
  inject(socket: Duplex, connectionId: string): void {
    const isRefused = this.#draining || this.#connections.has(connectionId) || !speaksHttp2(socket);
    if (isRefused || socket.destroyed) {
      socket.destroy();
      return;
    }
    const caller = this.#callerOf(connectionId);
    // One injector for each connection, because it is what grpc-js can close politely. It costs 4 us and 2 kB.
    const injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    const connection = new Connection(connectionId, caller, socket, injector);
    this.#connections.set(connectionId, connection);
    this.#overdueFirstCalls.expect(connection);
    socket.once("close", () => this.#forget(connection));
    connection.open();
  }

  /** How many connections are open. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** How many calls are being served. */
  get callCount(): number {
    return this.#connections.values().reduce((sum, { calls }) => sum + calls.size, 0);
  }

  /**
   * Ends a connection and all its calls at once: nothing more is sent on it. For callers that may not be served any longer. Does
   * nothing if it is not open.
   */
  closeConnection(connectionId: string, reason: StatusError = CONNECTION_CLOSED): void {
    this.#connections.get(connectionId)?.closeNow(reason);
  }

  /**
   * Takes no more connections and calls, ends streams with UNAVAILABLE, and gives other calls `graceMs` to end before they are
   * cut off. Resolves when every connection is closed. May be called again, with a shorter time too.
   */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    const reason = unavailable("server is shutting down");
    const empty = this.#whenEmpty();
    for (const connection of this.#connections.values()) {
      connection.closePolitely();
      for (const call of connection.calls) if (call.isStream) call.end(reason);
    }
    if (graceMs > 0) {
      const emptied = new AbortController();
      const wait = this.#clock.sleep(graceMs, emptied.signal);
      await Promise.race([empty, wait]);
      emptied.abort();
    }
    for (const connection of this.#connections.values()) connection.closeNow(reason);
    await empty;
    this.#stopped.abort();
    await this.#sweeping;
    this.#grpc.forceShutdown();
  }

  /** Closes at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
  }

  #grpcOptions(limits: RpcLimits): ServerOptions {
    return {
      // Costs time on every call and shows callers to each other; nobody reads it.
      "grpc.enable_channelz": 0,
      "grpc.max_receive_message_length": limits.maxReceiveBytes,
      "grpc.max_concurrent_streams": limits.maxConcurrentStreams,
      "grpc.max_connection_idle_ms": limits.maxIdleMs,
      "grpc.keepalive_time_ms": limits.keepaliveMs,
      "grpc.keepalive_timeout_ms": limits.keepaliveTimeoutMs,
      "grpc-node.max_session_memory": limits.maxSessionMemoryMb,
      interceptors: [
        ({ requestStream, responseStream }, call) => {
          const connection = this.#connections.get(call.getPeer());
          if (connection !== undefined) {
            this.#overdueFirstCalls.arrived(connection);
            const refusal = this.#refusalOf(connection, call, requestStream || responseStream);
            if (refusal !== undefined) return refuse(call, refusal);
          }
          if (!requestStream) this.#overdueRequests.expect(call);
          // Looked at, not wrapped: grpc-js reads no more of an interceptor's result than this interface.
          return call as ServerInterceptingCall;
        },
      ],
    };
  }

  #refusalOf(
    { caller }: Connection<C>,
    call: ServerInterceptingCallInterface,
    isStream: boolean,
  ): StatusError | undefined {
    if (this.#admit === undefined) return undefined;
    try {
      const admission = this.#admit(caller, { isStream });
      onceClosed(call, () => admission[Symbol.dispose]());
      return undefined;
    } catch (err) {
      if (err instanceof StatusError) return err;
      throw err;
    }
  }

  #register(registration: Registration<C>, interceptors: readonly Interceptor<C>[]): void {
    const { desc, handlers, codecs } = registration;
    for (const method of desc.methods) {
      const path = methodPath(method);
      const run = adaptMethod<C>({
        method,
        handler: (request, ctx) => handlers[method.localName]?.(request, ctx),
        codec: codecs[method.localName],
        interceptors,
        slowReaders: this.#slowReaders,
        begin: (grpc) => this.#begin(path, grpc, method.methodKind !== "unary"),
        finish: (call) => this.#finish(call),
        abandon: (grpc, call) => {
          if (!resetStream(interceptedCall(grpc), false)) this.closeConnection(call.connectionId);
        },
      });
      this.#grpc.addService({ [method.localName]: rawMethod(method) }, { [method.localName]: run });
    }
  }

  #begin(path: string, grpc: GrpcCall, isStream: boolean): ActiveCall<C> | undefined {
    const intercepted = interceptedCall(grpc);
    if (intercepted !== undefined) this.#overdueRequests.arrived(intercepted);
    const connection = this.#connections.get(grpc.getPeer());
    if (connection === undefined) return undefined;
    const call = new ActiveCall(path, isStream, grpc, connection, this.#callDeps);
    connection.calls.add(call);
    return call;
  }

  #finish(call: ActiveCall<C>): void {
    call.end(CALL_OVER);
    this.#connections.get(call.connectionId)?.calls.delete(call);
  }

  #forget(connection: Connection<C>): void {
    this.#connections.delete(connection.id);
    this.#overdueFirstCalls.arrived(connection);
    this.#overdueClosings.arrived(connection);
    connection.closeNow(CONNECTION_CLOSED);
    connection.release();
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  #whenEmpty(): Promise<void> {
    return new Promise((resolve) => {
      const previous = this.#onEmpty;
      this.#onEmpty = () => {
        previous?.();
        resolve();
      };
      if (this.#connections.size === 0) this.#onEmpty();
    });
  }

  async #sweep(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await this.#clock.sleep(SWEEP_MS, signal);
      this.#overdueClosings.sweep();
      this.#overdueFirstCalls.sweep();
      this.#overdueRequests.sweep();
      this.#slowReaders.sweep();
    }
  }
}

/** A call that ends where it began: nothing of it is read. */
function refuse(
  call: ServerInterceptingCallInterface,
  status: StatusError,
): ServerInterceptingCall {
  return new ServerInterceptingCall(call, {
    start: () => {
      call.sendStatus(toStatusObject(status, undefined));
      // Not in the same turn: the reset would overtake the status.
      setImmediate(() => resetStream(call, true));
    },
  });
}

/** Over TLS both sides must have agreed on HTTP/2 (RFC 9113 3.2); elsewhere they can only know. */
function speaksHttp2(socket: Duplex): boolean {
  return !(socket instanceof TLSSocket) || socket.alpnProtocol === "h2";
}
