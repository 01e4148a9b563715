import { chmod, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Logger } from "../../runtime/log.ts";
import { HeldSocket } from "./held-socket.ts";
import { type PodVolumeName, podOfSocketName, podSocketName } from "./pod-socket-name.ts";
import { linkAliases } from "./socket-aliases.ts";

/** What {@link PodSockets} are made from. */
export interface PodSocketsDeps {
  /** Holds a folder for each socket. Nobody but root gets into it, except through the mount of a single one. */
  readonly folder: string;
  /** Name of each socket in its folder, and permission bits. */
  readonly socket: { readonly name: string; readonly mode: number };
  /** Other names that lead to it. */
  readonly aliases: readonly string[];
  readonly log: Logger;
}

/** More than any kubelet runs. */
const MAX_SOCKETS = 4_096;

/**
 * Sockets that one pod alone has, for runtimes where nothing else tells which pod calls: each is bound here, lies in a folder of its own
 * that is mounted into the pod, and is passed on to the agents with its name. What is there on disk is the state: a restart binds
 * each anew in the same folder, where the pod sees it.
 */
export class PodSockets implements AsyncDisposable {
  readonly #deps: PodSocketsDeps;
  readonly #held = new Feed<ReadonlyMap<string, HeldSocket>>(new Map());

  private constructor(deps: PodSocketsDeps) {
    this.#deps = deps;
  }

  /** Binds what was there before. @param isThere whether a pod still has folders on this node */
  static async open(
    deps: PodSocketsDeps,
    isThere: (podUid: string) => boolean,
  ): Promise<PodSockets> {
    const sockets = new PodSockets(deps);
    const { folder, log } = deps;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // An earlier one may be there, with other permissions.
    await chmod(folder, 0o700);
    for (const name of await readdir(folder)) {
      const podUid = podOfSocketName(name);
      // Nothing of ours, if the folder is not the one that was meant.
      if (podUid === undefined) continue;
      try {
        if (isThere(podUid)) await sockets.#bind(name);
        else await rm(join(folder, name), { recursive: true, force: true });
      } catch (err) {
        log.error({ err, pod_uid: podUid }, "Socket of a pod cannot be bound");
      }
    }
    return sockets;
  }

  /** Those that are bound, by name. */
  get held(): ReadFeed<ReadonlyMap<string, HeldSocket>> {
    return this.#held;
  }

  /**
   * The folder with the socket of a volume, which is bound if it is not. Undefined for a pod that cannot have one.
   *
   * @throws {Error} when it cannot be bound
   */
  async folderFor(volume: PodVolumeName): Promise<string | undefined> {
    const name = podSocketName(volume);
    if (name === undefined) return undefined;
    if (this.#held.value.get(name)?.isInPlace() !== true) await this.#bind(name);
    return join(this.#deps.folder, name);
  }

  /** Lets go of a volume's socket, and removes its folder; fine if there is none. */
  async remove(volume: PodVolumeName): Promise<void> {
    const name = podSocketName(volume);
    if (name === undefined) return;
    const socket = this.#held.value.get(name);
    if (socket !== undefined) {
      this.#change((held) => held.delete(name));
      await socket[Symbol.asyncDispose]();
    }
    await rm(join(this.#deps.folder, name), { recursive: true, force: true });
  }

  /** Agents that have the sockets go on accepting. */
  async [Symbol.asyncDispose](): Promise<void> {
    const held = [...this.#held.value.values()];
    this.#held.set(new Map());
    for (const socket of held) await socket[Symbol.asyncDispose]();
  }

  async #bind(name: string): Promise<void> {
    const { folder, socket, aliases } = this.#deps;
    const before = this.#held.value.get(name);
    if (before === undefined && this.#held.value.size >= MAX_SOCKETS) {
      throw new Error(`more than ${MAX_SOCKETS} sockets of pods`);
    }
    const own = join(folder, name);
    // Processes of every user have to get to it, once it is mounted.
    await mkdir(own, { recursive: true, mode: 0o755 });
    await chmod(own, 0o755);
    const path = join(own, socket.name);
    await linkAliases(path, aliases);
    const bound = await HeldSocket.bind({ path, mode: socket.mode }, { replace: true });
    this.#change((held) => held.set(name, bound));
    await before?.[Symbol.asyncDispose]();
  }

  #change(change: (held: Map<string, HeldSocket>) => void): void {
    const held = new Map(this.#held.value);
    change(held);
    this.#held.set(held);
  }
}
