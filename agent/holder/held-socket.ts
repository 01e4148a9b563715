import { fstatSync, lstatSync } from "node:fs";
import type { Descriptor } from "../../runtime/peer/descriptor.ts";
import { isListeningSocket, listenWithoutAccepting } from "../../runtime/peer/raw-listener.ts";
import {
  isListening,
  placeSocket,
  removeSocket,
  type SocketFile,
} from "../../runtime/peer/socket-file.ts";

/** Connections that may wait while no agent accepts; the kernel takes no more than net.core.somaxconn. */
const BACKLOG = 4096;

/** The socket that workloads connect to. */
export interface HeldSocketPlace {
  readonly path: string;
  /** Permission bits of the socket file. */
  readonly mode: number;
}

/** A listening socket on which nobody here accepts, and the file that leads to it. */
export class HeldSocket implements AsyncDisposable {
  readonly #descriptor: Descriptor;
  readonly #file: SocketFile;

  private constructor(descriptor: Descriptor, file: SocketFile) {
    this.#descriptor = descriptor;
    this.#file = file;
  }

  /**
   * @param o.replace whether to take the place of a socket that somebody listens on
   * @throws {SocketTakenError} if somebody listens there, and is not to be replaced
   */
  static async bind(
    { path, mode }: HeldSocketPlace,
    o: { readonly replace?: boolean } = {},
  ): Promise<HeldSocket> {
    let descriptor: Descriptor | undefined;
    try {
      const bind = async (hidden: string): Promise<void> => {
        descriptor = listenWithoutAccepting(hidden, BACKLOG);
      };
      const file = await placeSocket(path, mode, bind, o);
      if (descriptor === undefined) throw new Error("no socket was made");
      return new HeldSocket(descriptor, file);
    } catch (err) {
      descriptor?.[Symbol.dispose]();
      throw err;
    }
  }

  /**
   * Takes over the socket that an earlier holder bound, from an agent that still has it. Undefined if it is no listening socket,
   * or there is none at the path: then the descriptor stays the caller's.
   */
  static adopt({ path }: HeldSocketPlace, descriptor: Descriptor): HeldSocket | undefined {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isSocket() === true && isListeningSocket(descriptor.fd)) {
      return new HeldSocket(descriptor, { path, ino: stats.ino });
    }
    return undefined;
  }

  /** To be passed on; it stays ours. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Whether a descriptor means this very socket. */
  isSame({ fd }: Descriptor): boolean {
    const [ours, theirs] = [fstatSync(this.fd), fstatSync(fd)];
    return ours.dev === theirs.dev && ours.ino === theirs.ino;
  }

  /** Whether the path still leads here. */
  isInPlace(): boolean {
    const { path, ino } = this.#file;
    return lstatSync(path, { throwIfNoEntry: false })?.ino === ino;
  }

  /** Lets go of the socket. Its file stays while an agent still listens, else it goes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#descriptor[Symbol.dispose]();
    if (this.isInPlace() && !(await isListening(this.#file.path))) await removeSocket(this.#file);
  }
}
