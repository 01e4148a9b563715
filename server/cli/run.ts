import type { Command } from "commander";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { formatOne } from "../../runtime/cli/output.ts";

const DEFAULT_CONFIG = "/etc/assay/server.yaml";

interface ConfigOptions {
  readonly config: string;
}

/** Adds `assay server run`, `assay server validate` and `assay server restore`. */
export function addServerRunCommands(server: Command, io: CliIo): void {
  withConfig(server.command("run"))
    .description("Run the server in the foreground.")
    .addHelpText("after", "\nExample:\n  assay server run --config server.yaml")
    .action(async ({ config }: ConfigOptions) => {
      // Loaded here, since the other commands of this group need nothing of it.
      const { runServer } = await import("../main.ts");
      await runServer({ configPath: config, env: io.env, signal: io.signal });
    });

  withConfig(server.command("validate"))
    .description("Check a configuration file, and say everything that is wrong with it.")
    .addHelpText("after", "\nExample:\n  assay server validate --config server.yaml")
    .action(async ({ config }: ConfigOptions) => {
      const { loadServerConfig } = await import("../config/server-config.ts");
      await loadServerConfig(config);
      io.write(`${config}: valid\n`);
    });

  withConfig(server.command("restore"))
    .description("Put a backup in the place of the store. The server must be stopped.")
    .argument("<file>", "a file that `assay server backup` wrote")
    .addHelpText(
      "after",
      "\nExample:\n  assay server restore /var/backups/assay.sqlite --config server.yaml",
    )
    .action(async (file: string, { config }: ConfigOptions) => {
      const { restoreStore } = await import("../restore-store.ts");
      io.write(formatOne(await restoreStore(config, file), "table"));
    });
}

function withConfig(command: Command): Command {
  return command.option("--config <file>", "configuration file", DEFAULT_CONFIG);
}
