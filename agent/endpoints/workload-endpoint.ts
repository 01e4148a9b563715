/**
 * The socket that workloads connect to. Each connection's caller is known from the kernel before a
 * byte of it is read (decision D3); on it are served the Workload API, Envoy's SDS, health and reflection.
 */
import type { Socket } from "node:net";
import { WorkloadFederation } from "../../proto/gen/assay/workload/v1/federation_pb.ts";
import { SecretDiscoveryService } from "../../proto/gen/envoy/service/secret/v3/sds_pb.ts";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { SpiffeWorkloadAPI } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import type { Logger } from "../../runtime/log.ts";
import { type UnixEndpoint, UnixListener } from "../../runtime/peer/unix-listener.ts";
import type { Random } from "../../runtime/random.ts";
import { RpcServer } from "../../runtime/rpc/server.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { readCgroupPath } from "../workload-attestation/process-facts.ts";
import { admitCall, type CallerLimits, limitKey } from "./caller-limits.ts";
import { endpointHealth } from "./endpoint-health.ts";
import { Reflection } from "./reflection.ts";
import { SdsApi, type SdsApiDeps } from "./sds/sds-api.ts";
import { requireHeader, requireSecurityHeader, WORKLOAD_HEADER } from "./security-header.ts";
import { WorkloadApi } from "./workload-api.ts";
import { workloadFederation } from "./workload-federation.ts";
import type { WorkloadPeer } from "./workload-peer.ts";

export interface WorkloadEndpointDeps extends SdsApiDeps {
  readonly limits: CallerLimits;
  /** At a time, however many sockets they come from. */
  readonly maxConnections: number;
  /** Streams at a time on one connection. */
  readonly maxStreams: number;
  readonly maxMessageBytes: number;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/** What HTTP/2 may hold for one connection; messages of workloads are small, and a caller may have many connections. */
const maxSessionMemoryMb = 8;

/** How long open calls may take to end when the agent stops. */
const drainMs = 1_000;

export class WorkloadEndpoint implements AsyncDisposable {
  readonly #deps: WorkloadEndpointDeps;
  readonly #peers = new Map<string, WorkloadPeer>();
  readonly #rpc: RpcServer<WorkloadPeer>;

  /** Serves nobody until it listens. */
  constructor(deps: WorkloadEndpointDeps) {
    this.#deps = deps;
    const { views, log, clock, random } = deps;
    const sds: Registration<WorkloadPeer>[] = deps.sds.enabled
      ? [service(SecretDiscoveryService, new SdsApi(deps))]
      : [];
    const reflection = new Reflection([
      SpiffeWorkloadAPI,
      WorkloadFederation,
      ...sds.map(({ desc }) => desc),
      Health,
      ServerReflection,
    ]);
    this.#rpc = RpcServer.create<WorkloadPeer>({
      services: [
        service(SpiffeWorkloadAPI, new WorkloadApi(deps)),
        service(WorkloadFederation, workloadFederation(deps)),
        ...sds,
        service(Health, endpointHealth(views)),
        service(ServerReflection, {
          serverReflectionInfo: (requests) => reflection.serverReflectionInfo(requests),
        }),
      ],
      interceptors: [requireSecurityHeader, requireHeader(WORKLOAD_HEADER, WorkloadFederation)],
      callerOf: (connectionId) => this.#peerOf(connectionId),
      admit: (peer, call) => admitCall(deps, peer, call),
      log,
      clock,
      random,
      limits: {
        maxConcurrentStreams: deps.maxStreams,
        maxReceiveBytes: deps.maxMessageBytes,
        maxSessionMemoryMb,
      },
    });
  }

  /** How many connections are open. */
  get connectionCount(): number {
    return this.#peers.size;
  }

  /**
   * Serves those who connect to a socket, until what it returns is disposed of; then those who are connected stay.
   *
   * @param socketPod UID of the pod that alone has this socket
   * @throws {Error} when the socket's path is taken
   */
  listen(endpoint: UnixEndpoint, socketPod?: string): Promise<AsyncDisposable> {
    const { maxConnections, log, random } = this.#deps;
    return UnixListener.open({
      endpoint,
      maxConnections,
      admit: () => this.#peers.size < maxConnections,
      onConnection: (socket, credentials, connectionId) =>
        this.#accept(socket, { credentials, socketPod }, connectionId),
      log,
      random,
    });
  }

  /** Ends all calls. Stop listening first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rpc.drain(drainMs);
  }

  #accept(socket: Socket, peer: Omit<WorkloadPeer, "limitKey">, connectionId: string): void {
    const { uid, pid } = peer.credentials;
    const key = limitKey(uid, readCgroupPath(pid), peer.socketPod);
    const admission = this.#deps.limits.connect(key);
    if (admission === undefined) {
      socket.destroy();
      return;
    }
    this.#peers.set(connectionId, { ...peer, limitKey: key });
    socket.once("close", () => {
      this.#peers.delete(connectionId);
      admission[Symbol.dispose]();
    });
    this.#rpc.inject(socket, connectionId);
  }

  #peerOf(connectionId: string): WorkloadPeer {
    const peer = this.#peers.get(connectionId);
    if (peer === undefined) throw new Error("connection has no peer");
    return peer;
  }
}
