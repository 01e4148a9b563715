import type { Logger } from "../../runtime/log.ts";
import { UnixListener } from "../../runtime/peer/unix-listener.ts";
import type { Random } from "../../runtime/random.ts";
import type { Interceptor } from "../../runtime/rpc/interceptor.ts";
import { RpcServer } from "../../runtime/rpc/server.ts";
import type { Registration } from "../../runtime/rpc/service.ts";
import type { Clock } from "../../runtime/time/clock.ts";

/** What a {@link PluginEndpoint} needs. */
export interface PluginEndpointDeps {
  readonly path: string;
  readonly services: readonly Registration[];
  readonly interceptors: readonly Interceptor[];
  /** User IDs that may connect. */
  readonly admittedUids: ReadonlySet<number>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** The kubelet opens a connection for each call; a node has a few hundred pods. */
const MAX_CONNECTIONS = 512;

/** Attributes, tokens and secrets of one pod. */
const MAX_REQUEST_BYTES = 1024 * 1024;

const DRAIN_MS = 1_000;

/** A Unix socket on which the kubelet calls, and nobody but root and our own user can. */
export class PluginEndpoint implements AsyncDisposable {
  readonly #rpc: RpcServer<undefined>;
  readonly #listener: UnixListener;

  /** Listens when it returns, in place of one that has died. @throws {Error} if somebody listens there */
  static async open(deps: PluginEndpointDeps): Promise<PluginEndpoint> {
    const { path, services, interceptors, admittedUids, clock, random, log } = deps;
    const rpc = RpcServer.create<undefined>({
      services,
      interceptors,
      callerOf: () => undefined,
      limits: { maxReceiveBytes: MAX_REQUEST_BYTES, maxConcurrentStreams: MAX_CONNECTIONS },
      clock,
      random,
      log,
    });
    const listener = await UnixListener.open({
      endpoint: { path, mode: 0o600 },
      maxConnections: MAX_CONNECTIONS,
      admit: ({ uid }) => admittedUids.has(uid),
      onConnection: (socket, _peer, connectionId) => rpc.inject(socket, connectionId),
      log,
      random,
    });
    return new PluginEndpoint(rpc, listener);
  }

  private constructor(rpc: RpcServer<undefined>, listener: UnixListener) {
    this.#rpc = rpc;
    this.#listener = listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
    await this.#rpc.drain(DRAIN_MS);
  }
}
