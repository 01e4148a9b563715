/** The socket on which the administrator of this machine asks the agent. It changes nothing. */
import { AgentAdmin } from "../../proto/gen/assay/agent/v1/agent_pb.ts";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import type { Logger } from "../../runtime/log.ts";
import type { PeerCredentials } from "../../runtime/peer/credentials.ts";
import { type UnixEndpoint, UnixListener } from "../../runtime/peer/unix-listener.ts";
import type { Random } from "../../runtime/random.ts";
import { RpcServer } from "../../runtime/rpc/server.ts";
import { service } from "../../runtime/rpc/service.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { type AgentAdminDeps, AgentAdminService } from "./agent-admin.ts";
import { endpointHealth } from "./endpoint-health.ts";

export interface AdminEndpointDeps extends AgentAdminDeps {
  readonly endpoint: UnixEndpoint;
  /** User IDs that may connect. */
  readonly admittedUids: ReadonlySet<number>;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

const maxConnections = 32;
const drainMs = 500;

export class AdminEndpoint implements AsyncDisposable {
  readonly #rpc: RpcServer<PeerCredentials>;
  readonly #peers = new Map<string, PeerCredentials>();
  #listener: UnixListener | undefined;

  /** Listens when it returns. @throws {Error} when the socket's path is taken */
  static async open(deps: AdminEndpointDeps): Promise<AdminEndpoint> {
    const opened = new AdminEndpoint(deps);
    const { endpoint, admittedUids, log, random } = deps;
    opened.#listener = await UnixListener.open({
      endpoint,
      maxConnections,
      admit: ({ uid }) => admittedUids.has(uid),
      onConnection: (socket, peer, connectionId) => {
        opened.#peers.set(connectionId, peer);
        socket.once("close", () => opened.#peers.delete(connectionId));
        opened.#rpc.inject(socket, connectionId);
      },
      log,
      random,
    });
    return opened;
  }

  private constructor(deps: AdminEndpointDeps) {
    const { views, log, clock, random } = deps;
    this.#rpc = RpcServer.create<PeerCredentials>({
      services: [
        service(AgentAdmin, new AgentAdminService(deps)),
        service(Health, endpointHealth(views)),
      ],
      interceptors: [],
      callerOf: (connectionId) => {
        const peer = this.#peers.get(connectionId);
        if (peer === undefined) throw new Error("connection has no peer");
        return peer;
      },
      log,
      clock,
      random,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener?.[Symbol.asyncDispose]();
    await this.#rpc.drain(drainMs);
  }
}
