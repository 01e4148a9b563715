import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient } from "../../runtime/rpc/client.ts";
import type { AssayCommand } from "./assay-command.ts";
import { Child } from "./child.ts";
import { channelToStarting, checkHealth } from "./health.ts";
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
  readonly #channel: ReturnType<typeof channelToStarting>;
  readonly #waiting: Waiting;

  private constructor(
    child: Child,
    channel: ReturnType<typeof channelToStarting>,
    waiting: Waiting,
  ) {
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
    const channel = channelToStarting(layout.adminSocket);
    const server = new ServerProcess(child, channel, waiting);
    try {
      await untilReady(child, () => checkHealth(channel, waiting.signal), waiting);
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#channel.close();
    await this.child.stop(this.#waiting.clock);
  }
}
