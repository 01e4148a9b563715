// A server as an agent sees it: the public API over TLS, and push if it is asked to. It trusts every join token and keeps no
// records, but its certificates, its refusals and its streams are real.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type AgentMessage,
  AgentSync,
  Update_Kind as Kind,
  type ServerMessageSchema,
  type Update,
  type UpdateSchema,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import {
  Agent,
  type AttestAgentRequest,
  type AttestAgentResponseSchema,
} from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle as BundleService } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import {
  Entry as EntryService,
  type SyncAuthorizedEntriesRequest,
  type SyncAuthorizedEntriesResponseSchema,
} from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import {
  type BatchNewX509SVIDResponse_ResultSchema,
  SVID,
} from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { type Bundle, BundleSchema } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { type Entry, EntrySchema } from "../../proto/gen/spire/api/types/entry_pb.ts";
import {
  PermissionDeniedDetails_Reason as Denied,
  PermissionDeniedDetailsSchema,
} from "../../proto/gen/spire/api/types/status_pb.ts";
import type { X509SVIDSchema } from "../../proto/gen/spire/api/types/x509svid_pb.ts";
import {
  invalidArgument,
  notFound,
  permissionDenied,
  type StatusError,
  unavailable,
  unimplemented,
} from "../../runtime/errors/status-error.ts";
import { Feed } from "../../runtime/feed.ts";
import { systemRandom } from "../../runtime/random.ts";
import { RpcServer } from "../../runtime/rpc/server.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { parseCsr } from "../../spiffe/x509/csr.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { type Shape, TestAuthority, testKey, uriSan } from "../support/test-ca.ts";
import { RecordingLog } from "./recording-log.ts";

export const FAKE_TRUST_DOMAIN = "td.test";

export interface FakeServerOptions {
  /** Whether it has assay.sync.v1; otherwise it is like a stock server. */
  readonly push?: boolean;
  /** With or without SyncAuthorizedEntries, as older stock servers. */
  readonly syncEntries?: boolean;
  readonly reattestable?: boolean;
  /** Entries in one page of revisions. */
  readonly pageSize?: number;
  readonly svidLifeMs?: number;
  readonly agentLifeMs?: number;
  /** To be the same trust domain as another fake. */
  readonly authority?: TestAuthority;
  readonly port?: number;
  /** SPIFFE ID of the server's own certificate. */
  readonly serverId?: string;
}

type UpdateFields = Exclude<MessageInitShape<typeof UpdateSchema>, Update>;

/** What the fake has been asked, for assertions. */
export interface FakeServerCalls {
  attested: number;
  renewed: number;
  postedStatus: number;
  polled: number;
  x509Svids: number;
  jwtSvids: number;
  /** Public keys that agents attested with. */
  readonly attestedKeys: string[];
}

interface Stream {
  readonly agentId: string;
  readonly messages: AgentMessage[];
  readonly changed: Feed<number>;
  readonly outgoing: MessageInitShape<typeof ServerMessageSchema>[];
}

export class FakeServerApi implements AsyncDisposable {
  readonly authority: TestAuthority;
  readonly calls: FakeServerCalls = {
    attested: 0,
    renewed: 0,
    postedStatus: 0,
    polled: 0,
    x509Svids: 0,
    jwtSvids: 0,
    attestedKeys: [],
  };
  readonly log: RecordingLog = new RecordingLog();
  /** Open synchronisation streams. */
  readonly streams: Feed<readonly Stream[]> = new Feed<readonly Stream[]>([]);
  /** What agents shipped of their audit chains. */
  readonly auditLines: string[] = [];
  /** Why agents' calls are refused, when they are. */
  denied: Denied | undefined;
  /** Entries that no SVID is issued for. */
  readonly refusedEntries: Set<string> = new Set();
  /** The answer to an attestation is lost this many times. */
  loseAttestations = 0;
  incarnation = "i1";
  revision = 1n;
  digest: Uint8Array = Buffer.from("digest");
  heartbeatSeconds = 5;
  /** How a stream begins, for an agent that has been here before. */
  resumeWith: "difference" | "inventory" = "difference";
  readonly #options: FakeServerOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #federated = new Map<string, Bundle>();
  readonly #rpc: RpcServer<string | undefined>;
  readonly #tls: TlsServer;
  readonly #callers = new Map<string, string | undefined>();
  readonly #sockets = new Set<TLSSocket>();

  private constructor(options: FakeServerOptions) {
    this.#options = options;
    this.authority = options.authority ?? TestAuthority.root(validFor(24 * 3_600_000));
    this.#rpc = RpcServer.create<string | undefined>({
      services: this.#services(),
      interceptors: [],
      callerOf: (connectionId) => this.#callers.get(connectionId),
      log: this.log.log,
      clock: systemClock,
      random: systemRandom,
    });
    this.#tls = this.#createTls();
  }

  /** Listens on loopback when it returns. */
  static async open(options: FakeServerOptions = {}): Promise<FakeServerApi> {
    const server = new FakeServerApi(options);
    server.#tls.listen(options.port ?? 0, "127.0.0.1");
    await once(server.#tls, "listening");
    return server;
  }

  get port(): number {
    const address = this.#tls.address() as AddressInfo;
    return address.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The bundle in PEM, as an agent's configuration takes it. */
  get bundlePem(): string {
    return formatPem("CERTIFICATE", this.authority.der);
  }

  /** Adds or replaces an entry, and pushes it. */
  put(entry: MessageInitShape<typeof EntrySchema> & { readonly id: string }): void {
    this.revision += 1n;
    const known = this.#entries.get(entry.id);
    this.#entries.set(
      entry.id,
      create(EntrySchema, {
        revisionNumber: (known?.revisionNumber ?? -1n) + 1n,
        createdAt: known?.createdAt ?? 1_700_000_000n,
        ...entry,
      }),
    );
    this.#push({ entries: [{ entry: this.#entry(entry.id) }] });
  }

  remove(id: string): void {
    this.revision += 1n;
    this.#entries.delete(id);
    this.#push({ removedEntryIds: [id] });
  }

  putFederatedBundle(trustDomain: string, authority: TestAuthority): void {
    this.revision += 1n;
    const bundle = create(BundleSchema, {
      trustDomain,
      x509Authorities: [{ asn1: authority.der }],
      sequenceNumber: 1n,
    });
    this.#federated.set(trustDomain, bundle);
    this.#push({ bundles: [bundle] });
  }

  /** Sends something on every stream. */
  send(message: MessageInitShape<typeof ServerMessageSchema>): void {
    for (const stream of this.streams.value) {
      stream.outgoing.push(message);
      stream.changed.set(stream.changed.value + 1);
    }
  }

  /** Ends every connection at once, and goes on listening. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#tls.listening) return;
    const closed = once(this.#tls, "close");
    this.#tls.close();
    this.dropConnections();
    await this.#rpc.drain(0);
    await closed;
  }

  #createTls(): TlsServer {
    const id = this.#options.serverId ?? `spiffe://${FAKE_TRUST_DOMAIN}/spire/server`;
    const { der, privateKey } = this.authority.leaf({
      ...validFor(3_600_000),
      subjectAltName: uriSan(id),
    });
    const tls = createServer({
      cert: formatPem("CERTIFICATE", der),
      key: privateKey.export({ type: "pkcs8", format: "pem" }),
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    tls.on("secureConnection", (socket) => {
      const connectionId = randomUUID();
      const certificate = socket.getPeerX509Certificate();
      const caller =
        certificate && Certificate.parse(new Uint8Array(certificate.raw)).spiffeId.toString();
      this.#callers.set(connectionId, caller);
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.#sockets.delete(socket));
      this.#rpc.inject(socket, connectionId);
    });
    return tls;
  }

  #services(): readonly Registration<string | undefined>[] {
    const agentOf = (caller: string | undefined): string => {
      if (caller === undefined) throw permissionDenied("no certificate");
      if (this.denied !== undefined) throw deniedFor(this.denied);
      return caller;
    };
    const never = (): never => {
      throw unimplemented("not in this fake");
    };
    const neverStream = async function* (): AsyncGenerator<never> {
      yield never();
    };
    return [
      service<typeof Agent, string | undefined>(Agent, {
        attestAgent: (requests) => this.#attest(requests),
        renewAgent: async (request, { caller }) => {
          const id = agentOf(caller);
          this.calls.renewed += 1;
          const csr = request.params?.csr ?? new Uint8Array();
          return { svid: this.#sign(csr, id, this.#options.agentLifeMs ?? 3_600_000) };
        },
        postStatus: async (_request, { caller }) => {
          agentOf(caller);
          this.calls.postedStatus += 1;
          return {};
        },
        countAgents: never,
        listAgents: never,
        getAgent: never,
        deleteAgent: never,
        banAgent: never,
        createJoinToken: never,
      }),
      service<typeof BundleService, string | undefined>(BundleService, {
        getBundle: async () => this.#ownBundle(),
        getFederatedBundle: async ({ trustDomain }, { caller }) => {
          agentOf(caller);
          const bundle = this.#federated.get(trustDomain);
          if (bundle === undefined) throw notFound("bundle not found");
          return bundle;
        },
        countBundles: never,
        appendBundle: never,
        publishJWTAuthority: never,
        publishWITAuthority: never,
        listFederatedBundles: never,
        batchCreateFederatedBundle: never,
        batchUpdateFederatedBundle: never,
        batchSetFederatedBundle: never,
        batchDeleteFederatedBundle: never,
      }),
      service<typeof EntryService, string | undefined>(EntryService, {
        getAuthorizedEntries: async (_request, { caller }) => {
          agentOf(caller);
          this.calls.polled += 1;
          return { entries: [...this.#entries.values()] };
        },
        syncAuthorizedEntries: (requests, { caller }) => {
          agentOf(caller);
          if (this.#options.syncEntries === false) throw unimplemented("no such method");
          return this.#syncEntries(requests);
        },
        countEntries: never,
        listEntries: never,
        getEntry: never,
        batchCreateEntry: never,
        batchUpdateEntry: never,
        batchDeleteEntry: never,
      }),
      service<typeof SVID, string | undefined>(SVID, {
        batchNewX509SVID: async ({ params }, { caller }) => {
          agentOf(caller);
          return { results: params.map(({ entryId, csr }) => this.#issue(entryId, csr)) };
        },
        newJWTSVID: async ({ entryId, audience }, { caller }) => {
          agentOf(caller);
          const entry = this.#entry(entryId);
          this.calls.jwtSvids += 1;
          const nowSeconds = BigInt(Math.floor(systemClock.now().getTime() / 1000));
          const claims = { aud: audience, jti: `jti-${this.calls.jwtSvids}` };
          const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
          return {
            svid: {
              token: `e30.${payload}.sig`,
              id: entry.spiffeId ?? {},
              issuedAt: nowSeconds,
              expiresAt: nowSeconds + 300n,
            },
          };
        },
        mintX509SVID: never,
        mintJWTSVID: never,
        mintWITSVID: never,
        batchNewWITSVID: never,
        newDownstreamX509CA: never,
      }),
      service<typeof AgentSync, string | undefined>(AgentSync, {
        sync: (requests, { caller, signal }) => {
          const agentId = agentOf(caller);
          if (this.#options.push !== true) return neverStream();
          return this.#sync(agentId, requests, signal);
        },
      }),
    ];
  }

  async *#attest(
    requests: AsyncIterable<AttestAgentRequest>,
  ): AsyncGenerator<MessageInitShape<typeof AttestAgentResponseSchema>> {
    for await (const { step } of requests) {
      if (step.case !== "params") throw invalidArgument("params expected");
      if (this.denied === Denied.AGENT_BANNED) throw deniedFor(this.denied);
      const csr = step.value.params?.csr ?? new Uint8Array();
      const token = Buffer.from(step.value.data?.payload ?? []).toString("utf8");
      this.calls.attestedKeys.push(Buffer.from(parseCsr(csr).spkiDer).toString("hex"));
      if (this.loseAttestations > 0) {
        this.loseAttestations -= 1;
        throw unavailable("the answer was lost");
      }
      this.calls.attested += 1;
      this.denied = undefined;
      const id = `spiffe://${FAKE_TRUST_DOMAIN}/spire/agent/join_token/${token}`;
      yield {
        step: {
          case: "result",
          value: {
            svid: this.#sign(csr, id, this.#options.agentLifeMs ?? 3_600_000),
            reattestable: this.#options.reattestable ?? false,
          },
        },
      };
      return;
    }
  }

  async *#syncEntries(
    requests: AsyncIterable<SyncAuthorizedEntriesRequest>,
  ): AsyncGenerator<MessageInitShape<typeof SyncAuthorizedEntriesResponseSchema>> {
    const pageSize = this.#options.pageSize ?? 500;
    const all = [...this.#entries.values()];
    let isFirst = true;
    for await (const { ids, outputMask } of requests) {
      if (isFirst) {
        this.calls.polled += 1;
        if (outputMask === undefined || ids.length > 0) throw invalidArgument("mask, no ids");
        if (all.length <= pageSize) {
          yield { entries: all };
          return;
        }
        for (let start = 0; start < all.length; start += pageSize) {
          yield {
            entryRevisions: all
              .slice(start, start + pageSize)
              .map(({ id, revisionNumber, createdAt }) => ({ id, revisionNumber, createdAt })),
            more: start + pageSize < all.length,
          };
        }
        isFirst = false;
        continue;
      }
      // In two messages, as a server does whose answer would be too large for one.
      const asked = all.filter(({ id }) => ids.includes(id));
      const half = Math.ceil(asked.length / 2);
      yield { entries: asked.slice(0, half), more: asked.length > half };
      if (asked.length > half) yield { entries: asked.slice(half) };
    }
  }

  async *#sync(
    agentId: string,
    requests: AsyncIterable<AgentMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<MessageInitShape<typeof ServerMessageSchema>> {
    const stream: Stream = { agentId, messages: [], changed: new Feed(0), outgoing: [] };
    const wake = (): void => stream.changed.set(stream.changed.value + 1);
    const reading = (async () => {
      for await (const message of requests) {
        stream.messages.push(message);
        this.#answer(stream, message);
        wake();
        this.streams.set(this.streams.value);
      }
    })();
    reading.catch(() => {});
    this.streams.set([...this.streams.value, stream]);
    try {
      for await (const _ of stream.changed.subscribe(signal)) {
        for (let next = stream.outgoing.shift(); next; next = stream.outgoing.shift()) yield next;
      }
    } finally {
      this.streams.set(this.streams.value.filter((other) => other !== stream));
    }
  }

  #answer(stream: Stream, { message }: AgentMessage): void {
    if (message.case === "hello") {
      const { cursor } = message.value;
      const held = cursor?.incarnation === this.incarnation ? cursor.revision : undefined;
      stream.outgoing.push({
        message: {
          case: "hello",
          value: {
            protocol: 1,
            serverVersion: "fake",
            incarnation: this.incarnation,
            heartbeatSeconds: this.heartbeatSeconds,
            maxCsrsPerCall: 50,
            maxCsrsInFlight: 100,
          },
        },
      });
      stream.outgoing.push(this.#first(held));
    }
    if (message.case === "audit") {
      const { firstSeq, lines } = message.value;
      this.auditLines.push(...lines.map((line) => Buffer.from(line).toString("utf8")));
      const throughSeq = firstSeq + BigInt(lines.length) - 1n;
      stream.outgoing.push({ message: { case: "auditReceipt", value: { throughSeq } } });
    }
    if (message.case === "entryRequest") {
      const known = message.value.ids.filter((id) => this.#entries.has(id));
      const gone = message.value.ids.filter((id) => !this.#entries.has(id));
      stream.outgoing.push(
        this.#update(Kind.ENTRIES, {
          entries: known.map((id) => ({ entry: this.#entry(id) })),
          removedEntryIds: gone,
        }),
      );
    }
  }

  #first(held: bigint | undefined): MessageInitShape<typeof ServerMessageSchema> {
    const bundles = [this.#ownBundle(), ...this.#federated.values()];
    const entries = [...this.#entries.values()];
    if (held === undefined) {
      return this.#update(Kind.SNAPSHOT, { bundles, entries: entries.map((entry) => ({ entry })) });
    }
    if (this.resumeWith === "difference") return this.#update(Kind.DIFFERENCE, {});
    const inventory = entries.map(({ id, revisionNumber, createdAt }) => ({
      id,
      revisionNumber,
      createdAt,
    }));
    return this.#update(Kind.INVENTORY, { bundles, inventory });
  }

  #push(change: UpdateFields): void {
    this.send(this.#update(Kind.DIFFERENCE, change));
  }

  #update(kind: Kind, change: UpdateFields): MessageInitShape<typeof ServerMessageSchema> {
    const cursor = { incarnation: this.incarnation, revision: this.revision };
    const value = { ...change, kind, cursor, authorizationDigest: this.digest };
    return { message: { case: "update", value } };
  }

  #issue(
    entryId: string,
    csr: Uint8Array,
  ): MessageInitShape<typeof BatchNewX509SVIDResponse_ResultSchema> {
    const entry = this.#entries.get(entryId);
    if (entry === undefined || this.refusedEntries.has(entryId)) {
      return { status: { code: 5, message: "entry not found or not authorized" } };
    }
    this.calls.x509Svids += 1;
    const id = `spiffe://${FAKE_TRUST_DOMAIN}${entry.spiffeId?.path ?? ""}`;
    const svid = this.#sign(csr, id, this.#options.svidLifeMs ?? 3_600_000);
    return { status: { code: 0, message: "OK" }, svid };
  }

  #sign(csr: Uint8Array, id: string, lifeMs: number): MessageInitShape<typeof X509SVIDSchema> {
    const request = parseCsr(csr);
    // The fake knows only the public half; TestAuthority asks for a pair and never uses the other.
    const key = { ...UNUSED, publicKey: request.publicKey };
    const { der } = this.authority.leaf({ ...validFor(lifeMs), subjectAltName: uriSan(id), key });
    const { trustDomain, path } = SpiffeId.parse(id);
    const expiresAt = BigInt(Math.floor((systemClock.now().getTime() + lifeMs) / 1000));
    return { certChain: [der], id: { trustDomain: trustDomain.name, path }, expiresAt };
  }

  #ownBundle(): Bundle {
    return create(BundleSchema, {
      trustDomain: FAKE_TRUST_DOMAIN,
      x509Authorities: [{ asn1: this.authority.der }],
      sequenceNumber: 1n,
      refreshHint: 300n,
    });
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw notFound("entry not found or not authorized");
    return entry;
  }
}

const UNUSED = testKey();

function deniedFor(reason: Denied): StatusError {
  const value = toBinary(
    PermissionDeniedDetailsSchema,
    create(PermissionDeniedDetailsSchema, { reason }),
  );
  const typeUrl = `type.googleapis.com/${PermissionDeniedDetailsSchema.typeName}`;
  return permissionDenied("agent is refused", { details: [{ typeUrl, value }] });
}

/** Real time, since TLS and gRPC know no other. */
function validFor(ms: number): Pick<Shape, "notBefore" | "notAfter"> {
  const now = systemClock.now().getTime();
  return { notBefore: new Date(now - 10_000), notAfter: new Date(now + ms) };
}
