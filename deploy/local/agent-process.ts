import { Child } from "./child.ts";
import { channelToStarting, checkHealth } from "./health.ts";
import { untilReady, type Waiting } from "./readiness.ts";
import type { ProcessOptions } from "./server-process.ts";
import { writeSettings } from "./settings.ts";

/** An agent as a process of its own. */
export class AgentProcess implements AsyncDisposable {
  readonly child: Child;
  readonly workloadSocket: string;
  readonly #waiting: Waiting;

  private constructor(child: Child, workloadSocket: string, waiting: Waiting) {
    this.child = child;
    this.workloadSocket = workloadSocket;
    this.#waiting = waiting;
  }

  /** Resolves when the agent answers workloads. @throws {Error} with its last words if it does not come to that */
  static async start(options: ProcessOptions): Promise<AgentProcess> {
    const { layout, settings, command, ...waiting } = options;
    await writeSettings(layout.agentConfig, settings);
    const child = await Child.start({
      name: "agent",
      file: command.file,
      args: [...command.args, "agent", "run", "--config", layout.agentConfig],
      logPath: layout.agentLog,
    });
    const agent = new AgentProcess(child, layout.workloadSocket, waiting);
    const channel = channelToStarting(layout.workloadSocket);
    try {
      await untilReady(child, () => checkHealth(channel, waiting.signal), waiting);
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    } finally {
      channel.close();
    }
    return agent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stop(this.#waiting.clock);
  }
}
