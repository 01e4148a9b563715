/**
 * The socket on which the administrator of this machine asks the agent. It changes nothing. Delegates come here too, where the
 * configuration names any.
 */
import type { Socket } from "node:net";
import { AgentAdmin } from "../../proto/gen/assay/agent/v1/agent_pb.ts";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { DelegatedIdentity } from "../../proto/gen/spire/api/agent/delegatedidentity/v1/delegatedidentity_pb.ts";
import type { Logger } from "../../runtime/log.ts";
import type { PeerCredentials } from "../../runtime/peer/credentials.ts";
import { type UnixEndpoint, UnixListener } from "../../runtime/peer/unix-listener.ts";
import type { Random } from "../../runtime/random.ts";
import { RpcServer } from "../../runtime/rpc/server.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { readCgroupPath } from "../workload-attestation/process-facts.ts";
import { type AgentAdminDeps, AgentAdminService } from "./agent-admin.ts";
import { admitCall, type CallerLimits, limitKey } from "./caller-limits.ts";
import { administratorsOnly } from "./delegation/administrators-only.ts";
import { DelegatedIdentityApi } from "./delegation/delegated-identity.ts";
import type { DelegatesDeps } from "./delegation/open-delegate.ts";
import { endpointHealth } from "./endpoint-health.ts";
import type { WorkloadPeer } from "./workload-peer.ts";

export interface AdminEndpointDeps extends AgentAdminDeps {
  readonly endpoint: UnixEndpoint;
  /** User IDs of administrators. */
  readonly adminUids: ReadonlySet<number>;
  /** Absent unless delegates may call; then everybody may connect whom the socket's mode lets. */
  readonly delegation?: AdminDelegation | undefined;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/** What serving delegates takes. */
export interface AdminDelegation extends DelegatesDeps {
  readonly limits: CallerLimits;
  /** Streams at a time on one connection. */
  readonly maxStreams: number;
}

/** For administrators, and for all others together. */
const maxConnections = 32;
const maxOtherConnections = 64;
const drainMs = 500;

export class AdminEndpoint implements AsyncDisposable {
  readonly #rpc: RpcServer<WorkloadPeer>;
  readonly #peers = new Map<string, WorkloadPeer>();
  readonly #deps: AdminEndpointDeps;
  #listener: UnixListener | undefined;

  /** Listens when it returns. @throws {Error} when the socket's path is taken */
  static async open(deps: AdminEndpointDeps): Promise<AdminEndpoint> {
    const opened = new AdminEndpoint(deps);
    const { endpoint, log, random } = deps;
    opened.#listener = await UnixListener.open({
      endpoint,
      maxConnections: maxConnections + maxOtherConnections,
      admit: ({ uid }) => opened.#mayConnect(uid),
      onConnection: (socket, peer, connectionId) => opened.#accept(socket, peer, connectionId),
      log,
      random,
    });
    return opened;
  }

  private constructor(deps: AdminEndpointDeps) {
    this.#deps = deps;
    const { views, adminUids, refusals, delegation, log, clock, random } = deps;
    const forDelegates: Registration<WorkloadPeer>[] =
      delegation === undefined
        ? []
        : [service(DelegatedIdentity, new DelegatedIdentityApi(delegation))];
    this.#rpc = RpcServer.create<WorkloadPeer>({
      services: [
        service(AgentAdmin, new AgentAdminService(deps)),
        service(Health, endpointHealth(views)),
        ...forDelegates,
      ],
      interceptors: [administratorsOnly(adminUids, refusals)],
      callerOf: (connectionId) => {
        const peer = this.#peers.get(connectionId);
        if (peer === undefined) throw new Error("connection has no peer");
        return peer;
      },
      ...(delegation && { admit: (peer, call) => admitCall(delegation, peer, call) }),
      ...(delegation && { limits: { maxConcurrentStreams: delegation.maxStreams } }),
      log,
      clock,
      random,
    });
  }

  #mayConnect(uid: number): boolean {
    const { adminUids, delegation } = this.#deps;
    if (adminUids.has(uid)) return this.#countOf(true) < maxConnections;
    return delegation !== undefined && this.#countOf(false) < maxOtherConnections;
  }

  #countOf(isAdmin: boolean): number {
    const { adminUids } = this.#deps;
    return this.#peers
      .values()
      .reduce((n, { credentials: { uid } }) => n + (adminUids.has(uid) === isAdmin ? 1 : 0), 0);
  }

  #accept(socket: Socket, credentials: PeerCredentials, connectionId: string): void {
    const key = limitKey(credentials.uid, readCgroupPath(credentials.pid));
    this.#peers.set(connectionId, { credentials, limitKey: key });
    socket.once("close", () => this.#peers.delete(connectionId));
    this.#rpc.inject(socket, connectionId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener?.[Symbol.asyncDispose]();
    await this.#rpc.drain(drainMs);
  }
}
