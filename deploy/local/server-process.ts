import type { DescService } from "@bufbuild/protobuf";
import {
  Health,
  HealthCheckResponse_ServingStatus,
} from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { type Client, createClient } from "../../runtime/rpc/client.ts";
import type { AssayCommand } from "./assay-command.ts";
import { Child } from "./child.ts";
import type { Layout } from "./layout.ts";
import { untilReady, type Waiting } from "./readiness.ts";
import { type Settings, writeSettings } from "./settings.ts";

/** How a process of ours is started. */
export interface ProcessOptions extends Waiting {
  readonly layout: Layout;
  readonly settings: Settings;
  readonly command: AssayCommand;
}

/** A server as a process of its own, and the way to administer it. */
export class ServerProcess implements AsyncDisposable {
  readonly child: Child;
  readonly #channel: ReturnType<typeof openChannel>;
  readonly #waiting: Waiting;

  private constructor(child: Child, channel: ReturnType<typeof openChannel>, waiting: Waiting) {
    this.child = child;
    this.#channel = channel;
    this.#waiting = waiting;
  }

  /** Resolves when the server says that it serves. @throws {Error} with its last words if it does not come to that */
  static async start(options: ProcessOptions): Promise<ServerProcess> {
    const { layout, settings, command, ...waiting } = options;
    await writeSettings(layout.serverConfig, settings);
    const child = await Child.start({
      name: "server",
      file: command.file,
      args: [...command.args, "server", "run", "--config", layout.serverConfig],
      logPath: layout.serverLog,
    });
    const server = new ServerProcess(
      child,
      openChannel({ target: `unix:${layout.adminSocket}` }),
      waiting,
    );
    try {
      await untilReady(child, () => server.#check(), waiting);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** The server's services over its admin socket. */
  client<S extends DescService>(service: S): Client<S> {
    return createClient(service, this.#channel);
  }

  async #check(): Promise<void> {
    const { signal } = this.#waiting;
    const { status } = await this.client(Health).check({}, { signal, timeoutMs: 1000 });
    if (status !== HealthCheckResponse_ServingStatus.SERVING) throw new Error("not serving yet");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#channel.close();
    await this.child.stop(this.#waiting.clock);
  }
}
