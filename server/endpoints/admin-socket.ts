import { mkdir, readlink } from "node:fs/promises";
import type { Socket } from "node:net";
import { dirname } from "node:path";
import type { Logger } from "../../runtime/log.ts";
import type { PeerCredentials } from "../../runtime/peer/credentials.ts";
import { type UnixEndpoint, UnixListener } from "../../runtime/peer/unix-listener.ts";
import type { Random } from "../../runtime/random.ts";
import type { LocalCaller } from "../api/caller.ts";
import { type Grants, NO_GRANTS } from "../config/roles.ts";

/** What the socket needs. */
export interface AdminSocketDeps {
  readonly endpoint: UnixEndpoint;
  /** What a user may do, asked at each call; undefined for users that may not connect. */
  readonly grantsOfUser: (uid: number) => Grants | undefined;
  /** Starts to serve a connection whose caller is known. */
  readonly inject: (socket: Socket, connectionId: string) => Promise<void>;
  readonly log: Logger;
  readonly random: Random;
}

const MAX_CONNECTIONS = 256;

/** The Unix socket for administration. The kernel says who is on the other end; only users with roles get in. */
export class AdminSocket implements AsyncDisposable {
  readonly #callers = new Map<string, LocalCaller>();
  readonly #deps: AdminSocketDeps;
  #listener: UnixListener | undefined;

  /** Listens when it returns. @throws {Error} if the path is taken, or callers cannot be known on this platform */
  static async open(deps: AdminSocketDeps): Promise<AdminSocket> {
    const { endpoint, grantsOfUser, log, random } = deps;
    const admin = new AdminSocket(deps);
    // In a container nobody else makes it. Open to be passed through: who connects is asked again, and need not be our user.
    if ("path" in endpoint) await mkdir(dirname(endpoint.path), { recursive: true, mode: 0o755 });
    admin.#listener = await UnixListener.open({
      endpoint,
      maxConnections: MAX_CONNECTIONS,
      admit: ({ uid }) => {
        const isKnown = grantsOfUser(uid) !== undefined;
        if (!isKnown) log.warn({ caller_uid: uid }, "Refused a user on the admin socket");
        return isKnown;
      },
      onConnection: (socket, peer, connectionId) => admin.#receive(socket, peer, connectionId),
      log,
      random,
    });
    return admin;
  }

  private constructor(deps: AdminSocketDeps) {
    this.#deps = deps;
  }

  /** The caller on a connection of this socket; undefined if it is none of them. */
  callerOf(connectionId: string): LocalCaller | undefined {
    return this.#callers.get(connectionId);
  }

  /** Stops listening. Open connections go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener?.[Symbol.asyncDispose]();
  }

  #receive(socket: Socket, peer: PeerCredentials, connectionId: string): void {
    const caller = new LocalPeer(peer, this.#deps.grantsOfUser);
    this.#callers.set(connectionId, caller);
    socket.once("close", () => this.#callers.delete(connectionId));
    void this.#deps.inject(socket, connectionId);
    void caller.readPath();
  }
}

/** A process on the socket. Its grants follow the configuration. */
class LocalPeer implements LocalCaller {
  readonly kind = "local";
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly #grantsOfUser: AdminSocketDeps["grantsOfUser"];
  path: string | undefined;

  constructor({ uid, gid, pid }: PeerCredentials, grantsOfUser: AdminSocketDeps["grantsOfUser"]) {
    this.uid = uid;
    this.gid = gid;
    this.pid = pid;
    this.#grantsOfUser = grantsOfUser;
  }

  get grants(): Grants {
    return this.#grantsOfUser(this.uid) ?? NO_GRANTS;
  }

  /** For the audit. The process may have gone, or be none of ours to look at. */
  async readPath(): Promise<void> {
    try {
      this.path = await readlink(`/proc/${this.pid}/exe`);
    } catch {
      this.path = undefined;
    }
  }
}
