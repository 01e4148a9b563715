import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { DescService } from "@bufbuild/protobuf";
import { Status, StatusError, unavailable } from "../../runtime/errors/status-error.ts";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import type { Client } from "../../runtime/rpc/client.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { VerifiedTlsCredentials } from "../../spiffe/tls/verified-channel-credentials.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import type { AgentIdentity } from "../identity/agent-identity.ts";
import type { IdentityHolder } from "../identity/identity-holder.ts";
import type { TrustStore } from "../identity/trust-store.ts";
import { Link } from "./link.ts";
import { SERVER_PATH, verifyServer } from "./verify-server.ts";

export interface ServerConnectionDeps {
  /** Addresses "host:port" of servers of one trust domain, at least one. */
  readonly servers: readonly string[];
  readonly identity: IdentityHolder;
  readonly trust: TrustStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * The way to the servers: one link to one of them at a time. Another server is taken when a link fails, and a new link when the
 * agent has a new identity; the old one is drained. Agents begin at a random server, so that they spread.
 */
export class ServerConnection implements Disposable {
  readonly #deps: ServerConnectionDeps;
  readonly #serverId: SpiffeId;
  readonly #current = new Feed<Link | undefined>(undefined);
  #next: number;
  #identity: AgentIdentity | undefined;

  constructor(deps: ServerConnectionDeps) {
    this.#deps = deps;
    this.#serverId = SpiffeId.fromPath(deps.trust.trustDomain, SERVER_PATH);
    this.#next = Math.floor(deps.random.uniform() * deps.servers.length);
  }

  /** The link that presents the agent's identity; undefined while it has none. A reader moves on when it changes. */
  get current(): ReadFeed<Link | undefined> {
    return this.#current;
  }

  /** Keeps the link in step with the identity. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    for await (const { identity } of this.#deps.identity.standing.subscribe(signal)) {
      // A new instant of renewal is no new credential.
      if (identity?.chainDer === this.#identity?.chainDer) continue;
      this.#identity = identity;
      this.#replace();
    }
  }

  /** A link without identity, for attestation. The caller closes it. */
  openAnonymous(): Link {
    return this.#open(undefined);
  }

  /** Says that a link led to no working server: the next one is tried. Errors that a server sent do not belong here. */
  failed(link: Link): void {
    if (link.closed.aborted && link !== this.#current.value) return;
    this.#next = (this.#next + 1) % this.#deps.servers.length;
    if (link === this.#current.value) this.#replace();
  }

  /**
   * Makes a call as this agent. Fails over once to each other server when one cannot be reached, therefore only for calls that
   * may be made twice. Verdicts about this agent are passed on to the identity's holder.
   *
   * @throws {StatusError} what the server answered, or UNAVAILABLE
   */
  async call<S extends DescService, T>(
    desc: S,
    run: (client: Client<S>) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const link = this.#current.value;
      if (link === undefined) throw unavailable("agent has no identity yet");
      try {
        return await link.use(desc, run);
      } catch (err) {
        this.#deps.identity.report(err);
        if (!isUnreachable(err) || link.isLive) throw err;
        this.failed(link);
        if (attempt >= this.#deps.servers.length) throw err;
      }
    }
  }

  [Symbol.dispose](): void {
    this.#current.value?.close();
    this.#current.set(undefined);
  }

  #replace(): void {
    const old = this.#current.value;
    this.#current.set(this.#identity === undefined ? undefined : this.#open(this.#identity));
    old?.retire();
  }

  #open(identity: AgentIdentity | undefined): Link {
    const server = this.#deps.servers[this.#next];
    if (server === undefined) throw new TypeError("connection: no server is configured");
    const { trust, clock } = this.#deps;
    const context = secureContext(identity);
    const credentials = new VerifiedTlsCredentials(
      () => context,
      (chain) => verifyServer(chain, trust, this.#serverId, clock.now()),
    );
    return new Link(server, openChannel({ target: `dns:${server}`, credentials }), clock);
  }
}

/** Whether a call found no working server, as opposed to a server that refused it. */
export function isUnreachable(err: unknown): boolean {
  if (!(err instanceof StatusError)) return false;
  return err.code === Status.UNAVAILABLE || err.code === Status.DEADLINE_EXCEEDED;
}

function secureContext(identity: AgentIdentity | undefined): SecureContext {
  // An empty list, since without one Node loads its root certificates, which we neither trust nor want in memory.
  const base: SecureContextOptions = { ca: [], minVersion: "TLSv1.2" };
  if (identity === undefined) return createSecureContext(base);
  return createSecureContext({
    ...base,
    key: identity.privateKey.export({ type: "pkcs8", format: "pem" }),
    cert: identity.chainDer.map((der) => formatPem("CERTIFICATE", der)).join(""),
  });
}
