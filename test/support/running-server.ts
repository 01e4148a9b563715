// A server in this process, on real sockets, TLS and SQLite, and those who call it.

import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { DescService } from "@bufbuild/protobuf";
import { credentials } from "@grpc/grpc-js";
import { stringify } from "yaml";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { parseConfig } from "../../runtime/config/load.ts";
import { systemRandom } from "../../runtime/random.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { type Client, createClient } from "../../runtime/rpc/client.ts";
import { type ServerConfig, serverConfigSchema } from "../../server/config/server-config.ts";
import { Server } from "../../server/server.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { createCsr } from "../../spiffe/x509/create-csr.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import { ShiftedClock } from "../fakes/shifted-clock.ts";
import { TempDir } from "./temp-dir.ts";

/** The trust domain of all servers here. */
export const TRUST_DOMAIN = "example.test";

/** How calls are made: nothing takes long here, unless the machine is busy. */
export const CALL: { readonly signal: AbortSignal; readonly timeoutMs: number } = {
  signal: new AbortController().signal,
  timeoutMs: 60_000,
};

/** A certificate chain with its key. */
export interface Identity {
  readonly chainDer: readonly Uint8Array[];
  readonly privateKey: KeyObject;
}

/** Settings that replace those of a plain test server, by their place in the file. */
export type Settings = Readonly<Record<string, unknown>>;

/** A connection, and the clients on it. */
export class Connection implements Disposable {
  readonly #channel: ReturnType<typeof openChannel>;

  constructor(channel: ReturnType<typeof openChannel>) {
    this.#channel = channel;
  }

  client<S extends DescService>(service: S): Client<S> {
    return createClient(service, this.#channel);
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}

/** Starts when opened; stops when disposed of, as after SIGTERM. */
export class RunningServer implements AsyncDisposable {
  readonly server: Server;
  readonly clock: ShiftedClock;
  readonly log: RecordingLog;
  readonly dir: TempDir;
  /** What the next reload reads. */
  settings: Settings;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #ownsDir: boolean;

  private constructor(
    server: Server,
    parts: {
      readonly clock: ShiftedClock;
      readonly log: RecordingLog;
      readonly dir: TempDir;
      readonly settings: Settings;
      readonly ownsDir: boolean;
    },
  ) {
    this.server = server;
    this.clock = parts.clock;
    this.log = parts.log;
    this.dir = parts.dir;
    this.settings = parts.settings;
    this.#ownsDir = parts.ownsDir;
    this.#running = server.run(this.#stop.signal);
  }

  /**
   * @param dir keeps the state beyond this server; a folder of its own without it
   * @param clock of its own unless given
   */
  static async open(
    settings: Settings = {},
    dir?: TempDir,
    clock: ShiftedClock = new ShiftedClock(),
  ): Promise<RunningServer> {
    const folder = dir ?? (await TempDir.open());
    const log = new RecordingLog();
    let running: RunningServer | undefined;
    const config = configOf(settings, folder);
    const server = await Server.open({
      config,
      readConfig: async () => configOf(running?.settings ?? settings, folder),
      adminSocket: config.adminSocket,
      ownUid: process.geteuid?.() ?? 0,
      version: "test",
      env: {},
      clock,
      random: systemRandom,
      log: log.log,
    });
    const parts = { clock, log, dir: folder, settings, ownsDir: dir === undefined };
    running = new RunningServer(server, parts);
    return running;
  }

  get address(): string {
    return `127.0.0.1:${this.server.port}`;
  }

  /** As an administrator with the rights of this test's user. */
  admin(): Connection {
    return new Connection(openChannel({ target: `unix:${this.dir.join("admin.sock")}` }));
  }

  /** Over the network, with a certificate or without. */
  connect(identity?: Identity, address: string = this.address): Connection {
    return new Connection(
      openChannel({
        target: address,
        credentials: tlsCredentials(identity),
        // An address is no name to ask for; the server does not look at it.
        options: { "grpc.ssl_target_name_override": "server" },
      }),
    );
  }

  /** Attests a new agent by a join token. */
  async joinAgent(): Promise<JoinedAgent> {
    using admin = this.admin();
    const token = await admin.client(Agent).createJoinToken({ ttl: 600 }, CALL);
    const key = newKey();
    const payload = new TextEncoder().encode(token.value);
    const { chainDer, id } = await this.attest("join_token", payload, csrOf(key));
    return { id, token: token.value, identity: { chainDer, privateKey: key } };
  }

  /** Attests once, without challenges. @throws {StatusError} what the server refused with */
  async attest(
    type: string,
    payload: Uint8Array,
    csr: Uint8Array,
    answer?: (challenge: Uint8Array) => Uint8Array,
    connection: Connection = this.connect(),
  ): Promise<{
    readonly id: string;
    readonly chainDer: readonly Uint8Array[];
    readonly reattestable: boolean;
  }> {
    using _ = connection;
    let reply: (response: Uint8Array) => void = () => {};
    async function* steps() {
      yield {
        step: { case: "params" as const, value: { data: { type, payload }, params: { csr } } },
      };
      for (;;) {
        const value = await new Promise<Uint8Array>((resolve) => {
          reply = resolve;
        });
        yield { step: { case: "challengeResponse" as const, value } };
      }
    }
    for await (const { step } of connection.client(Agent).attestAgent(steps(), CALL)) {
      if (step.case === "challenge") {
        reply(answer?.(step.value) ?? new Uint8Array());
        continue;
      }
      if (step.case !== "result") throw new Error("an empty step");
      const { svid, reattestable } = step.value;
      const id = `spiffe://${svid?.id?.trustDomain}${svid?.id?.path}`;
      return { id, chainDer: svid?.certChain ?? [], reattestable };
    }
    throw new Error("attestation ended without a result");
  }

  /** Creates entries under a parent and answers with their IDs. */
  async createEntries(parentId: string, ...paths: readonly string[]): Promise<readonly string[]> {
    using admin = this.admin();
    const { path } = SpiffeId.parse(parentId);
    const entries = paths.map((entryPath) => ({
      spiffeId: { trustDomain: TRUST_DOMAIN, path: entryPath },
      parentId: { trustDomain: TRUST_DOMAIN, path },
      selectors: [{ type: "unix", value: "uid:1000" }],
    }));
    const { results } = await admin.client(Entry).batchCreateEntry({ entries }, CALL);
    return results.map(({ status, entry }) => {
      if (status?.code !== 0 || entry === undefined) throw new Error(status?.message);
      return entry.id;
    });
  }

  /** An X509-SVID that an administrator had minted. */
  async mint(path: string): Promise<Identity> {
    using admin = this.admin();
    const privateKey = newKey();
    const spiffeId = SpiffeId.parse(`spiffe://${TRUST_DOMAIN}${path}`);
    const csr = createCsr({ privateKey, spiffeId });
    const { svid } = await admin.client(SVID).mintX509SVID({ csr, ttl: 600 }, CALL);
    return { chainDer: svid?.certChain ?? [], privateKey };
  }

  /** Stops the server, and leaves its folder to whoever gave it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.server[Symbol.asyncDispose]();
    if (this.#ownsDir) await this.dir[Symbol.asyncDispose]();
  }
}

/** An agent that has joined by a token. */
export interface JoinedAgent {
  readonly id: string;
  readonly token: string;
  readonly identity: Identity;
}

/** A P-256 key. */
export function newKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

/** A request as agents of every make send it. */
export function csrOf(privateKey: KeyObject): Uint8Array {
  return createCsr({ privateKey, subject: { country: "US", organization: "SPIRE" } });
}

function configOf(settings: Settings, dir: TempDir): ServerConfig {
  const text = stringify({
    trustDomain: TRUST_DOMAIN,
    dataDir: dir.join("data"),
    listen: { address: "127.0.0.1", port: 0 },
    adminSocket: { path: dir.join("admin.sock") },
    observability: { enabled: false },
    ...settings,
  });
  return parseConfig(serverConfigSchema, text, "test");
}

// Tests of what the server proves about itself verify it; here the caller just wants to talk.
function tlsCredentials(identity?: Identity) {
  const options = { checkServerIdentity: () => undefined, rejectUnauthorized: false };
  if (identity === undefined) return credentials.createSsl(null, null, null, options);
  const key = identity.privateKey.export({ type: "pkcs8", format: "pem" });
  const chain = identity.chainDer.map((der) => formatPem("CERTIFICATE", der)).join("");
  return credentials.createSsl(null, Buffer.from(key), Buffer.from(chain), options);
}
