import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Channel } from "@grpc/grpc-js";
import { systemRandom } from "../../../runtime/random.ts";
import { openChannel } from "../../../runtime/rpc/channel.ts";
import { type Client, createClient } from "../../../runtime/rpc/client.ts";
import type { Interceptor } from "../../../runtime/rpc/interceptor.ts";
import type { RpcLimits } from "../../../runtime/rpc/limits.ts";
import { RpcServer } from "../../../runtime/rpc/server.ts";
import { type Handlers, service } from "../../../runtime/rpc/service.ts";
import { type Clock, systemClock } from "../../../runtime/time/clock.ts";
import { RecordingLog } from "../../fakes/recording-log.ts";
import { TempDir } from "../temp-dir.ts";
import { Echo } from "./gen/echo_pb.ts";

/** Who calls in these tests: the name of the connection. */
export interface EchoCaller {
  readonly name: string;
}

/** Handlers that answer with what they hear. */
export const plainHandlers: Handlers<typeof Echo, EchoCaller> = {
  say: async ({ text }) => ({ text }),
  async *repeat({ text }) {
    for (const word of text.split(" ")) yield { text: word };
  },
  async join(requests) {
    const words: string[] = [];
    for await (const { text } of requests) words.push(text);
    return { text: words.join(" ") };
  },
  async *talk(requests) {
    for await (const { text } of requests) yield { text: text.toUpperCase() };
  },
};

/** An Echo server on a Unix socket of its own and a client of it. Connections are named "c1", "c2" and so on. */
export class EchoServer implements AsyncDisposable {
  readonly rpc: RpcServer<EchoCaller>;
  readonly path: string;
  readonly channel: Channel;
  readonly client: Client<typeof Echo>;
  /** What the server logged, one JSON record each. */
  readonly logged: RecordingLog["lines"];
  readonly #listener: Server;
  readonly #dir: TempDir;

  private constructor(
    rpc: RpcServer<EchoCaller>,
    dir: TempDir,
    path: string,
    listener: Server,
    logged: RecordingLog["lines"],
  ) {
    this.rpc = rpc;
    this.path = path;
    this.logged = logged;
    this.channel = openChannel({ target: `unix:${path}` });
    this.client = createClient(Echo, this.channel);
    this.#listener = listener;
    this.#dir = dir;
  }

  static async open(
    o: {
      readonly handlers?: Partial<Handlers<typeof Echo, EchoCaller>>;
      readonly interceptors?: readonly Interceptor<EchoCaller>[];
      readonly limits?: Partial<RpcLimits>;
      readonly clock?: Clock;
    } = {},
  ): Promise<EchoServer> {
    const { log, lines } = new RecordingLog();
    const rpc = RpcServer.create<EchoCaller>({
      services: [service(Echo, { ...plainHandlers, ...o.handlers })],
      interceptors: o.interceptors ?? [],
      callerOf: (connectionId) => ({ name: connectionId }),
      log,
      clock: o.clock ?? systemClock,
      random: systemRandom,
      ...(o.limits === undefined ? {} : { limits: o.limits }),
    });
    let accepted = 0;
    const listener = createServer((socket: Socket) => {
      accepted += 1;
      rpc.inject(socket, `c${accepted}`);
    });
    const dir = await TempDir.open();
    const path = dir.join("echo.sock");
    listener.listen(path);
    await once(listener, "listening");
    return new EchoServer(rpc, dir, path, listener, lines);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.channel.close();
    this.#listener.close();
    await this.rpc[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }
}
