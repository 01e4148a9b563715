import type { Descriptor } from "../../runtime/peer/descriptor.ts";
import { podOfSocketName } from "./pod-socket-name.ts";

/** What {@link ServedPodSockets} need. */
export interface ServedPodSocketsDeps {
  /** Accepts connections from a pod's socket until it is disposed of. The descriptor is its own to close. */
  readonly listen: (fd: number, socketPod: string) => Promise<AsyncDisposable>;
}

interface Served {
  readonly socket: Descriptor;
  listener?: AsyncDisposable | undefined;
}

/** The agent's half of the sockets that single pods have: accepts on those that it has got, while it is this agent's turn. */
export class ServedPodSockets implements AsyncDisposable {
  readonly #deps: ServedPodSocketsDeps;
  readonly #served = new Map<string, Served>();
  #isAccepting = false;

  constructor(deps: ServedPodSocketsDeps) {
    this.#deps = deps;
  }

  /** How many there are. */
  get size(): number {
    return this.#served.size;
  }

  /** Takes a socket, in place of the one that it had by that name. */
  async put(name: string, socket: Descriptor): Promise<void> {
    const before = this.#served.get(name);
    const served: Served = { socket };
    this.#served.set(name, served);
    // First the new one: who connects finds one of the two.
    if (this.#isAccepting) await this.#listen(name, served);
    if (before !== undefined) await close(before);
  }

  /** Lets go of a socket; fine if there is none. */
  async remove(name: string): Promise<void> {
    const served = this.#served.get(name);
    this.#served.delete(name);
    if (served !== undefined) await close(served);
  }

  /** Lets go of all others. */
  async keepOnly(names: ReadonlySet<string>): Promise<void> {
    for (const name of [...this.#served.keys()]) if (!names.has(name)) await this.remove(name);
  }

  /** Accepts on all, from here on. */
  async accept(): Promise<void> {
    this.#isAccepting = true;
    for (const [name, served] of this.#served) await this.#listen(name, served);
  }

  /** Accepts on none; who connects waits. */
  async stopAccepting(): Promise<void> {
    this.#isAccepting = false;
    for (const served of this.#served.values()) {
      const { listener } = served;
      served.listener = undefined;
      await listener?.[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.keepOnly(new Set());
  }

  async #listen(name: string, served: Served): Promise<void> {
    const podUid = podOfSocketName(name);
    if (podUid === undefined) throw new Error("name of a socket says no pod");
    served.listener ??= await this.#deps.listen(served.socket.duplicate().take(), podUid);
  }
}

async function close({ socket, listener }: Served): Promise<void> {
  await listener?.[Symbol.asyncDispose]();
  socket[Symbol.dispose]();
}
