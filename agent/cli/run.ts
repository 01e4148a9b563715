import type { Command } from "commander";
import type { CliIo } from "../../runtime/cli/cli-io.ts";

const DEFAULT_CONFIG = "/etc/assay/agent.yaml";

/** Adds `assay agent run` and `assay agent validate`. */
export function addAgentRunCommands(agent: Command, io: CliIo): void {
  agent
    .command("run")
    .description("Run the node agent in the foreground.")
    .option("--config <file>", "configuration file", DEFAULT_CONFIG)
    .addHelpText("after", "\nExample:\n  assay agent run --config agent.yaml")
    .action(async ({ config }: { config: string }) => {
      // Loaded here, since the other commands of this group need nothing of it.
      const { runAgent } = await import("../main.ts");
      await runAgent({ configPath: config, env: io.env, signal: io.signal });
    });
  agent
    .command("validate")
    .description("Check a configuration file, and say everything that is wrong with it.")
    .option("--config <file>", "configuration file", DEFAULT_CONFIG)
    .addHelpText("after", "\nExample:\n  assay agent validate --config agent.yaml")
    .action(async ({ config }: { config: string }) => {
      const { loadAgentConfig } = await import("../config/agent-config.ts");
      await loadAgentConfig(config);
      io.write(`${config}: valid\n`);
    });
}
