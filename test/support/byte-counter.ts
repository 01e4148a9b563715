import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Stands between a client and a server, passes everything on, and counts it. */
export class ByteCounter implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #bytes = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param port of the server, on this machine */
  static async open(port: number): Promise<ByteCounter> {
    const server = createServer({ noDelay: true });
    const counter = new ByteCounter(server);
    server.on("connection", (client) => {
      const onward = connect({ port, host: "127.0.0.1", noDelay: true });
      counter.#pass(client, onward);
      counter.#pass(onward, client);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return counter;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Bytes of both directions so far. */
  get bytes(): number {
    return this.#bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on("data", (chunk) => {
      this.#bytes += chunk.length;
    });
    from.on("error", () => to.destroy());
    from.on("close", () => this.#sockets.delete(from));
    from.pipe(to);
  }
}
