import type { StatusError } from "../../runtime/errors/status-error.ts";
import { unauthenticated, unavailable } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Bundle } from "../../spiffe/bundle/bundle.ts";
import type { VerifiedX509Svid } from "../../spiffe/svid/x509-verify.ts";
import type { Certificate } from "../../spiffe/x509/certificate.ts";
import { accessError } from "../api/access.ts";
import type { Caller } from "../api/caller.ts";
import type { Grants } from "../config/roles.ts";
import type { AgentStanding } from "../node-attestation/agent-standing.ts";
import type { Change, Commit } from "../store/commit.ts";
import type { Store } from "../store/store.ts";
import { LiveAgent } from "./live-agent.ts";
import { LiveIdentity } from "./live-identity.ts";

/** What the register of network callers needs. */
export interface NetworkCallersDeps {
  readonly store: Pick<Store, "read" | "onCommit">;
  readonly clock: Clock;
  /** What the configuration grants to an identity, asked at each call. */
  readonly grantsOf: (spiffeId: string) => Grants;
  /** Ends a connection and all calls on it at once. */
  readonly closeConnection: (connectionId: string, reason: StatusError) => void;
}

/** A connection whose caller came with a certificate. */
interface Authenticated {
  readonly connectionId: string;
  readonly caller: LiveAgent | LiveIdentity;
  /** The authority in the bundle by which the certificate was verified. */
  readonly authority: Certificate;
  /** When the connection ends whatever happens. */
  readonly endsAt: Date;
}

/**
 * Knows who is on the other end of each network connection, and keeps what it knows true: the state of an agent changes with
 * the commit that changes it, without a query per call. It ends connections in the same change that bans, evicts or supersedes
 * their agent or withdraws their authority, and when their certificate ends.
 */
export class NetworkCallers implements Disposable {
  readonly #deps: NetworkCallersDeps;
  readonly #anonymous = new Map<string, Caller>();
  readonly #authenticated = new Map<string, Authenticated>();
  readonly #byId = new Map<string, Set<Authenticated>>();
  readonly #keptOpen = new Set<string>();
  readonly #commits: Disposable;

  constructor(deps: NetworkCallersDeps) {
    this.#deps = deps;
    this.#commits = deps.store.onCommit((commit) => this.#apply(commit));
  }

  /** Takes in a caller without a certificate. */
  admitAnonymous(connectionId: string, address: string): void {
    this.#anonymous.set(connectionId, { kind: "anonymous", address });
  }

  /**
   * Takes in a caller whose certificate was verified. Resolves when what is on record about it is known.
   *
   * @param graceMs how long beyond the certificate's end a connection may last that began after it
   */
  async admit(
    connectionId: string,
    address: string,
    svid: VerifiedX509Svid,
    graceMs: number,
  ): Promise<void> {
    const [leaf] = svid.path;
    const authority = svid.path.at(-1);
    if (leaf === undefined || authority === undefined) throw new TypeError("empty path");
    const { clock, grantsOf } = this.#deps;
    const caller = svid.id.path.startsWith("/spire/agent/")
      ? new LiveAgent({ id: svid.id, leaf, address, clock })
      : new LiveIdentity({ id: svid.id, leaf, address, grantsOf });
    // Who comes with a valid certificate goes when it ends, and may come back within the time of grace to renew it.
    const isInGrace = leaf.notAfter <= clock.now();
    const endsAt = new Date(leaf.notAfter.getTime() + (isInGrace ? graceMs : 0));
    // Registered before the read, so that no commit falls between the two.
    this.#add({ connectionId, caller, authority, endsAt });
    await this.#load(caller);
  }

  /** The caller of a connection that was taken in. @throws {Error} once the connection was ended */
  callerOf(connectionId: string): Caller {
    const caller =
      this.#authenticated.get(connectionId)?.caller ?? this.#anonymous.get(connectionId);
    if (caller === undefined) throw new Error("the connection was ended");
    return caller;
  }

  /** Forgets a connection that has closed. */
  remove(connectionId: string): void {
    this.#anonymous.delete(connectionId);
    const found = this.#authenticated.get(connectionId);
    if (found === undefined) return;
    this.#authenticated.delete(connectionId);
    const siblings = this.#byId.get(found.caller.id);
    siblings?.delete(found);
    if (siblings?.size === 0) this.#byId.delete(found.caller.id);
  }

  /**
   * Keeps a connection open although its agent is superseded, until disposed: an agent that attests again on a connection of its
   * own is to get the answer.
   */
  keepOpen(connectionId: string): Disposable {
    this.#keptOpen.add(connectionId);
    return {
      [Symbol.dispose]: () => {
        this.#keptOpen.delete(connectionId);
        const found = this.#authenticated.get(connectionId);
        if (found !== undefined) this.#closeIfOver(found);
      },
    };
  }

  /** Ends connections whose authority is in the bundle no more. */
  applyBundle(bundle: Bundle): void {
    for (const { connectionId, authority } of [...this.#authenticated.values()]) {
      if (bundle.x509Authorities.some((known) => known.equals(authority))) continue;
      this.#close(
        connectionId,
        unauthenticated("the authority of the client certificate was revoked", {
          reason: "authority_revoked",
        }),
      );
    }
  }

  /** Ends connections whose certificate has run out. Call it every second. */
  sweep(): void {
    const now = this.#deps.clock.now();
    for (const { connectionId, endsAt } of [...this.#authenticated.values()]) {
      if (endsAt > now) continue;
      this.#close(
        connectionId,
        unauthenticated("client certificate has expired", { reason: "certificate_expired" }),
      );
    }
  }

  [Symbol.dispose](): void {
    this.#commits[Symbol.dispose]();
  }

  #add(connection: Authenticated): void {
    this.#authenticated.set(connection.connectionId, connection);
    const { id } = connection.caller;
    const siblings = this.#byId.get(id) ?? new Set();
    this.#byId.set(id, siblings.add(connection));
  }

  async #load(caller: LiveAgent | LiveIdentity): Promise<void> {
    const { store } = this.#deps;
    if (caller.kind === "agent") {
      const found = await store.read("getNode", { id: caller.id });
      caller.offer(found?.node);
      return;
    }
    const filter = { bySpiffeId: caller.id };
    const page = await store.read("listEntries", { filter, page: { pageSize: 100 } });
    caller.offer(page.items.map(({ entry }) => entry));
  }

  #apply({ changes }: Commit): void {
    for (const change of changes) {
      if (change.kind === "node") this.#applyNode(change);
      else if (change.kind === "entry") this.#applyEntry(change);
    }
  }

  #applyNode(change: Extract<Change, { kind: "node" }>): void {
    for (const connection of [...(this.#byId.get(change.id) ?? [])]) {
      if (connection.caller.kind !== "agent") continue;
      connection.caller.set(change.after);
      this.#closeIfOver(connection);
    }
  }

  #applyEntry(change: Extract<Change, { kind: "entry" }>): void {
    for (const side of [change.before, change.after]) {
      if (side === undefined) continue;
      for (const { caller } of this.#byId.get(side.spiffeId) ?? []) {
        if (caller.kind === "identity") caller.change(change.id, change.after);
      }
    }
  }

  #closeIfOver({ connectionId, caller }: Authenticated): void {
    if (caller.kind !== "agent" || this.#keptOpen.has(connectionId)) return;
    const reason = endOf(caller.standing);
    if (reason !== undefined) this.#close(connectionId, reason);
  }

  #close(connectionId: string, reason: StatusError): void {
    this.remove(connectionId);
    this.#deps.closeConnection(connectionId, reason);
  }
}

// Who comes in the time of grace keeps the connection to renew; the sweep ends it.
function endOf(standing: AgentStanding): StatusError | undefined {
  switch (standing) {
    case "banned":
      return accessError("agent_banned", "agent is banned");
    case "unknown":
      return accessError("agent_not_attested", "agent is not attested");
    case "superseded":
      return unavailable("agent SVID was replaced by a newer one", { reason: "agent_not_active" });
    case "current":
    case "next":
    case "expired":
      return undefined;
  }
}
