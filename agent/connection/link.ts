import type { DescService } from "@bufbuild/protobuf";
import type { Channel } from "@grpc/grpc-js";
import { type Client, createClient } from "../../runtime/rpc/client.ts";
import type { Clock } from "../../runtime/time/clock.ts";

/** Calls on a retired link may go on for this long. */
const DRAIN_MS = 30_000;

/**
 * One channel to one server under one identity. It is used through `use`, so that a link that has been replaced is closed when
 * the last call on it ends, and no call is cut off.
 */
export class Link {
  /** The address as configured. */
  readonly server: string;
  readonly #channel: Channel;
  readonly #clock: Clock;
  readonly #clients = new Map<string, unknown>();
  readonly #end = new AbortController();
  #isLive = false;
  #wasLive = false;
  #inUse = 0;
  #retired = false;

  constructor(server: string, channel: Channel, clock: Clock) {
    this.server = server;
    this.#channel = channel;
    this.#clock = clock;
  }

  /** Aborts when the link is closed for good. */
  get closed(): AbortSignal {
    return this.#end.signal;
  }

  /** Whether a stream on this link is alive, so that one failed call says nothing about the link. */
  get isLive(): boolean {
    return this.#isLive;
  }

  set isLive(isLive: boolean) {
    this.#isLive = isLive;
    this.#wasLive ||= isLive;
  }

  /** Whether a stream on this link ever was. */
  get wasLive(): boolean {
    return this.#wasLive;
  }

  /** Runs calls to one service. */
  async use<S extends DescService, T>(desc: S, run: (client: Client<S>) => Promise<T>): Promise<T> {
    this.#inUse += 1;
    try {
      return await run(this.#client(desc));
    } finally {
      this.#inUse -= 1;
      if (this.#retired && this.#inUse === 0) this.close();
    }
  }

  /** Closes once nothing uses the link any more, at the latest after half a minute. */
  retire(): void {
    this.#retired = true;
    if (this.#inUse === 0) this.close();
    else void this.#clock.sleep(DRAIN_MS, this.#end.signal).then(() => this.close());
  }

  /** Closes at once. */
  close(): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.#channel.close();
  }

  #client<S extends DescService>(desc: S): Client<S> {
    const known = this.#clients.get(desc.typeName);
    // The map holds under a service's name what createClient made for that service.
    if (known !== undefined) return known as Client<S>;
    const client = createClient(desc, this.#channel);
    this.#clients.set(desc.typeName, client);
    return client;
  }
}
