/** `assay files run|validate|convert`: identities as files. */
import type { Command } from "commander";
import { stringify } from "yaml";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { EndedWith, usageError } from "../../runtime/cli/exit-code.ts";
import { parseDuration } from "../../runtime/config/duration.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";

const DEFAULT_CONFIG = "/etc/assay/files.yaml";
const CONFIG_HELP = "configuration file; with .conf or .hcl at its end that of spiffe-helper";

interface RunOptions {
  readonly config: string;
  readonly once?: boolean;
  readonly timeout: string;
}

interface FilesCommandDeps {
  readonly clock: Clock;
  readonly random: Random;
}

/** Adds `assay files`. */
export function addFilesCommands(program: Command, io: CliIo, deps: FilesCommandDeps): void {
  const files = program.command("files");
  const socket = io.env["SPIFFE_ENDPOINT_SOCKET"];

  files
    .command("run")
    .description("Keep certificates, keys, bundles and tokens current in files, for a program.")
    .option("-c, --config <file>", CONFIG_HELP, DEFAULT_CONFIG)
    .option("--once", "write the files once and end; reload and command do not count")
    .option("--timeout <duration>", "with --once, how long an identity may take to come", "60s")
    .addHelpText(
      "after",
      "\nExit codes: that of the supervised command; with --once 4 without an identity, 5 without an agent." +
        "\nExamples:\n  assay files run -c files.yaml\n  assay files run -c helper.conf --once",
    )
    .action(async (options: RunOptions) => {
      // Loaded here, since the other commands of this group need nothing of it.
      const { loadFilesConfig } = await import("../config/load-files-config.ts");
      const { createLogger } = await import("../../runtime/log.ts");
      const timeoutMs = parseDuration(options.timeout);
      if (timeoutMs === undefined) throw usageError('--timeout: expected a duration such as "60s"');
      const config = await loadFilesConfig(options.config, socket);
      const log = createLogger({ ...config.log, destination: "stderr" });
      const needs = { ...deps, env: io.env, log };
      if (options.once === true || config.once) {
        const { writeOnce } = await import("../files/identity-files.ts");
        return await writeOnce(config, needs, timeoutMs, io.signal);
      }
      const { runFilesReloading } = await import("../files/run-files-reloading.ts");
      const { settleDown } = await import("../../runtime/process/settle-down.ts");
      const ended = new AbortController();
      const settled = settleDown(deps.clock, ended.signal);
      const readConfig = () => loadFilesConfig(options.config, socket);
      const running = runFilesReloading(config, { ...needs, readConfig }, io.signal);
      const code = await running.finally(() => ended.abort());
      await settled;
      if (code !== 0) throw new EndedWith(code);
    });

  files
    .command("validate")
    .description("Check a configuration file, and say everything that is wrong with it.")
    .option("-c, --config <file>", CONFIG_HELP, DEFAULT_CONFIG)
    .addHelpText("after", "\nExample:\n  assay files validate -c files.yaml")
    .action(async ({ config }: { config: string }) => {
      const { loadFilesConfig } = await import("../config/load-files-config.ts");
      await loadFilesConfig(config, socket);
      io.write(`${config}: valid\n`);
    });

  files
    .command("convert")
    .description("Print the configuration of spiffe-helper as one of ours.")
    .argument("<file>", "configuration of spiffe-helper")
    .addHelpText("after", "\nExample:\n  assay files convert helper.conf > files.yaml")
    .action(async (path: string) => {
      const { loadHelperConfig } = await import("../config/load-files-config.ts");
      io.write(stringify(await loadHelperConfig(path, socket), { lineWidth: 0 }));
    });
}
