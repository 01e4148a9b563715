/**
 * The socket that brokers connect to (SPIFFE Broker Endpoint): mutual TLS with X509-SVIDs over a Unix socket. It is not offered
 * over TCP, since a PID means nothing on another machine.
 */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { Health } from "../../../proto/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../../proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { API } from "../../../proto/gen/spiffe/broker/api_pb.ts";
import { describeError } from "../../../runtime/errors/describe.ts";
import { permissionDenied, unauthenticated } from "../../../runtime/errors/status-error.ts";
import type { Logger } from "../../../runtime/log.ts";
import type { PeerCredentials } from "../../../runtime/peer/credentials.ts";
import { type UnixEndpoint, UnixListener } from "../../../runtime/peer/unix-listener.ts";
import type { Random } from "../../../runtime/random.ts";
import type { Interceptor } from "../../../runtime/rpc/interceptor.ts";
import { RpcServer } from "../../../runtime/rpc/server.ts";
import { service } from "../../../runtime/rpc/service.ts";
import { matchMemberOf } from "../../../spiffe/id/matcher.ts";
import type { TrustDomain } from "../../../spiffe/id/trust-domain.ts";
import { acceptTls } from "../../../spiffe/tls/accept.ts";
import type { MutualTls } from "../../../spiffe/tls/client.ts";
import { verifyPeer } from "../../../spiffe/tls/peer-id.ts";
import { readCgroupPath } from "../../workload-attestation/process-facts.ts";
import { admitCall, type CallerLimits, limitKey } from "../caller-limits.ts";
import { endpointHealth } from "../endpoint-health.ts";
import { Reflection } from "../reflection.ts";
import { requireHeader } from "../security-header.ts";
import type { WorkloadSessionDeps } from "../workload-session.ts";
import { BrokerApi } from "./broker-api.ts";
import type { BrokerPeer } from "./broker-peer.ts";

export interface BrokerEndpointDeps extends WorkloadSessionDeps {
  readonly endpoint: UnixEndpoint;
  readonly trustDomain: TrustDomain;
  /** The agent's own SVID, and what brokers' are verified with. */
  readonly tls: Pick<MutualTls, "svid" | "bundles">;
  /** SPIFFE IDs of those who may call. */
  readonly brokers: ReadonlySet<string>;
  readonly limits: CallerLimits;
  /** Streams at a time on one connection. */
  readonly maxStreams: number;
  readonly maxMessageBytes: number;
  readonly log: Logger;
  readonly random: Random;
}

const maxConnections = 64;
const drainMs = 1_000;
/** How late it may be noticed that a broker's SVID has expired or lost its authority. */
const verifyAgainMs = 1_000;

export class BrokerEndpoint implements AsyncDisposable {
  readonly #deps: BrokerEndpointDeps;
  readonly #tls: MutualTls;
  readonly #rpc: RpcServer<BrokerPeer>;
  readonly #peers = new Map<string, BrokerPeer>();
  readonly #closed = new AbortController();
  #listener: UnixListener | undefined;

  /** Listens when it returns. @throws {Error} when the socket's path is taken */
  static async open(deps: BrokerEndpointDeps): Promise<BrokerEndpoint> {
    const opened = new BrokerEndpoint(deps);
    const { endpoint, log, random } = deps;
    opened.#listener = await UnixListener.open({
      endpoint,
      maxConnections,
      onConnection: (socket, credentials, connectionId) =>
        void opened.#accept(socket, credentials, connectionId),
      log,
      random,
    });
    return opened;
  }

  private constructor(deps: BrokerEndpointDeps) {
    this.#deps = deps;
    const { views, log, clock, random, maxStreams, maxMessageBytes } = deps;
    this.#tls = {
      ...deps.tls,
      authorize: matchMemberOf(deps.trustDomain),
      now: () => clock.now(),
    };
    const reflection = new Reflection([API, Health, ServerReflection]);
    this.#rpc = RpcServer.create<BrokerPeer>({
      services: [
        service(API, new BrokerApi(deps)),
        service(Health, endpointHealth(views)),
        service(ServerReflection, {
          serverReflectionInfo: (requests) => reflection.serverReflectionInfo(requests),
        }),
      ],
      interceptors: [brokersOnly(deps), requireHeader("broker.spiffe.io", API)],
      callerOf: (connectionId) => {
        const peer = this.#peers.get(connectionId);
        if (peer === undefined) throw new Error("connection has no peer");
        return peer;
      },
      admit: (peer, call) => admitCall(deps, peer, call),
      log,
      clock,
      random,
      limits: { maxConcurrentStreams: maxStreams, maxReceiveBytes: maxMessageBytes },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener?.[Symbol.asyncDispose]();
    this.#closed.abort();
    await this.#rpc.drain(drainMs);
  }

  async #accept(
    connection: Socket,
    credentials: PeerCredentials,
    connectionId: string,
  ): Promise<void> {
    const { limits, refusals, log } = this.#deps;
    const key = limitKey(credentials.uid, readCgroupPath(credentials.pid));
    const admission = limits.connect(key);
    if (admission === undefined) {
      connection.destroy();
      return;
    }
    connection.once("close", () => admission[Symbol.dispose]());
    try {
      const { socket, peer: id } = await acceptTls(connection, this.#tls, "h2");
      this.#peers.set(connectionId, { credentials, limitKey: key, id });
      connection.once("close", () => this.#peers.delete(connectionId));
      this.#rpc.inject(socket, connectionId);
      void this.#verifyAgain(socket, connectionId);
    } catch (err) {
      const { pid, uid } = credentials;
      log.debug({ reason: describeError(err) }, "TLS handshake of a broker failed");
      refusals.add({ reason: "not_broker", pid, uid, cause: err });
    }
  }

  /** A connection goes when the SVID that it began with expires or loses its authority. */
  async #verifyAgain(socket: TLSSocket, connectionId: string): Promise<void> {
    const { signal } = this.#closed;
    const { clock } = this.#deps;
    while (!signal.aborted && !socket.destroyed) {
      await clock.sleep(verifyAgainMs, signal);
      if (socket.destroyed) return;
      try {
        verifyPeer(socket, this.#tls);
      } catch (cause) {
        const reason = "certificate_expired";
        const err = unauthenticated("the broker's SVID holds no longer", { reason, cause });
        this.#rpc.closeConnection(connectionId, err);
        return;
      }
    }
  }
}

const prefix = `/${API.typeName}/`;

/** Refuses the API to whoever is not among the brokers, before anything of the request is looked at (Broker Endpoint 5). */
function brokersOnly({ brokers, refusals }: BrokerEndpointDeps): Interceptor<BrokerPeer> {
  return async ({ ctx: { method, caller } }, next) => {
    if (method.startsWith(prefix) && !brokers.has(caller.id.toString())) {
      const { pid, uid } = caller.credentials;
      refusals.add({ reason: "not_broker", pid, uid, delegateId: caller.id.toString() });
      throw permissionDenied("caller is not a broker", { reason: "not_broker" });
    }
    await next();
  };
}
